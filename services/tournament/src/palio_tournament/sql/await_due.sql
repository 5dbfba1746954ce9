-- Hold a tournament that is due, after whoever else is at it; no row if it is not (any more).
SELECT id FROM tournament.tournaments
WHERE id = ANY($1) AND state = 'open' AND settles_at <= clock_timestamp()
ORDER BY id FOR UPDATE
