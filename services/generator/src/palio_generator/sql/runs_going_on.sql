-- The runs that are not over, oldest first.
SELECT id, place, namespace, name, plan, runners, duration_s, startup_deadline_s, created_at, start_at, stop_asked_at,
    told_second, so_far, outcome, finished_at, verdict, clock_timestamp() AS now,
    (SELECT count(ready_at) FROM generator.runners WHERE run_id = runs.id) AS ready,
    (SELECT count(reported_at) FROM generator.runners WHERE run_id = runs.id) AS reported,
    (SELECT count(failed_at) FROM generator.runners WHERE run_id = runs.id) AS failed, report
FROM generator.runs WHERE outcome IS NULL ORDER BY created_at LIMIT 200
