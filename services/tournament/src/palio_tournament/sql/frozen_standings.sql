-- The frozen standings of tournaments, in order.
SELECT tournament_id, position, rank, user_id, score, reached_at FROM tournament.final_standings
WHERE tournament_id = ANY($1) ORDER BY tournament_id, position
