-- What is known of a run's runners.
SELECT runner, failure, report, reported_at FROM generator.runners WHERE run_id = $1 ORDER BY runner
