-- End a run with its one report; one that is over stays as it ended.
UPDATE generator.runs SET outcome = $2, verdict = $3, report = $4, finished_at = clock_timestamp()
WHERE id = $1 AND outcome IS NULL
