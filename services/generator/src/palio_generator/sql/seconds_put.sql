-- Write seconds whole; whoever does holds the run's lock and has read what was there.
INSERT INTO generator.seconds (run_id, second, runners, row) VALUES ($1, $2, $3, $4)
ON CONFLICT (run_id, second) DO UPDATE SET runners = excluded.runners, row = excluded.row
