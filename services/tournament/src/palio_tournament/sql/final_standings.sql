-- One page of frozen standings, after a player.
SELECT position, rank, user_id, coalesce(profile.username, 'Deleted player') AS username, score, reached_at
FROM tournament.final_standings LEFT JOIN users.profiles_v1 AS profile USING (user_id)
WHERE tournament_id = $1 AND position > coalesce(
    (SELECT position FROM tournament.final_standings WHERE tournament_id = $1 AND user_id = $2), 0
)
ORDER BY position LIMIT $3
