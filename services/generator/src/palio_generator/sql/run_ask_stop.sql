-- Ask a run that is not over to end early; the first asking counts.
UPDATE generator.runs SET stop_asked_at = coalesce(stop_asked_at, clock_timestamp()) WHERE id = $1 AND outcome IS NULL
