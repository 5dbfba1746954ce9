-- What a player was paid, by currency, and how many tournaments were won; the tournament service's published view.
SELECT currency, sum(amount) AS amount,
       (SELECT count(DISTINCT tournament_id) FROM tournament.prizes_v1 WHERE user_id = $1 AND rank = 1) AS won
FROM tournament.prizes_v1
WHERE user_id = $1
GROUP BY currency
ORDER BY currency
