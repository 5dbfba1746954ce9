-- The seconds after the last one told, oldest first.
SELECT second, runners, row FROM generator.seconds WHERE run_id = $1 AND second > $2 ORDER BY second LIMIT 600
