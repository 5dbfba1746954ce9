-- The standings of some players and of the next $3 players by id, for the drift audit.
SELECT user_id, score, reached_at, version FROM score.standings_v1
WHERE board = $1 AND user_id = ANY ($2::uuid[])
UNION
(
    SELECT user_id, score, reached_at, version FROM score.standings_v1
    WHERE board = $1 AND user_id >= $4::uuid
    ORDER BY user_id
    LIMIT $3
)
