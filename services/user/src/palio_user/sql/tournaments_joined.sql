-- How many tournaments a player entered; the tournament service's published view.
SELECT count(*) FROM tournament.entries_v1 WHERE user_id = $1
