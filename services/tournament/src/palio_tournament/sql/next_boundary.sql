-- Seconds until the next start, end or settlement; null if there is none to come.
SELECT extract(epoch FROM min(boundary) - clock_timestamp())::float8
FROM tournament.tournaments CROSS JOIN LATERAL (VALUES (starts_at), (ends_at), (settles_at)) AS moments (boundary)
WHERE state = 'open' AND boundary > clock_timestamp()
