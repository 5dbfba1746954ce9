-- Tournaments whose settlement is due by the database's clock, oldest first.
SELECT id, participants FROM tournament.tournaments
WHERE state = 'open' AND settles_at <= clock_timestamp() AND (retry_at IS NULL OR retry_at <= clock_timestamp())
ORDER BY settles_at, id LIMIT $1
