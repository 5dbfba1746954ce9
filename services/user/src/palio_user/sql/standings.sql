-- A player's standings on the boards of games and on the global one; the score service's published view.
SELECT board, score, reached_at, submissions
FROM score.standings_v1
WHERE user_id = $1 AND (board = 'global' OR board LIKE 'game:%')
ORDER BY board DESC
LIMIT $2
