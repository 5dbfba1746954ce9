-- Note that a runner will not report, and why; one that reported did not fail, and the first reason counts.
INSERT INTO generator.runners (run_id, runner, failed_at, failure) VALUES ($1, $2, clock_timestamp(), $3)
ON CONFLICT (run_id, runner) DO UPDATE SET failed_at = excluded.failed_at, failure = excluded.failure
WHERE runners.reported_at IS NULL AND runners.failed_at IS NULL
