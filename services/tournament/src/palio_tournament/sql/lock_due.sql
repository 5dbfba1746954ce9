-- Hold those of the tournaments that are due and that nobody else is settling.
SELECT id FROM tournament.tournaments
WHERE id = ANY($1) AND state = 'open' AND settles_at <= clock_timestamp()
ORDER BY id FOR UPDATE SKIP LOCKED
