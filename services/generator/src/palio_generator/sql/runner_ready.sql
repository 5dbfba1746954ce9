-- Note that a runner is ready; the first time counts.
INSERT INTO generator.runners (run_id, runner, ready_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (run_id, runner) DO UPDATE SET ready_at = coalesce(runners.ready_at, excluded.ready_at)
