-- The prizes of tournaments, best first.
SELECT tournament_id, key, rank_first, rank_last, amount FROM tournament.prizes
WHERE tournament_id = ANY($1) ORDER BY tournament_id, rank_first
