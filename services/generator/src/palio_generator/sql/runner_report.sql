-- Keep a runner's report, once; a runner that was thought to have failed has not.
INSERT INTO generator.runners (run_id, runner, reported_at, report) VALUES ($1, $2, clock_timestamp(), $3)
ON CONFLICT (run_id, runner) DO UPDATE
SET reported_at = excluded.reported_at, report = excluded.report, failed_at = NULL, failure = NULL
WHERE runners.reported_at IS NULL
