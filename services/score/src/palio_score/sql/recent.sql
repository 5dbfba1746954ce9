-- The newest submissions of all players, newest first.
SELECT newest.id, newest.user_id, newest.game_id, newest.score, newest.accepted_at, newest.counted, profile.username
FROM (
    SELECT id, user_id, game_id, score, accepted_at, counted FROM score.submissions ORDER BY id DESC LIMIT $1
) AS newest
LEFT JOIN users.profiles_v1 AS profile ON profile.user_id = newest.user_id
ORDER BY newest.id DESC
