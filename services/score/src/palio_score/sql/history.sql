-- A page of a player's submissions, newest first, before an id.
SELECT id, user_id, game_id, score, accepted_at, counted
FROM score.submissions
WHERE user_id = $1 AND id < $2 AND ($3::text IS NULL OR game_id = $3)
ORDER BY id DESC
LIMIT $4
