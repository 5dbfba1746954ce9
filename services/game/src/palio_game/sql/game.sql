-- One game.
SELECT game_id, title, description, score_order, keep, score_min, score_max, score_unit, counts_globally, created_at
FROM game.games
WHERE game_id = $1
