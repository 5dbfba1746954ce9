-- The rules of a game; they never change.
SELECT game_id, score_order, keep, score_min, score_max, counts_globally FROM game.rules_v1 WHERE game_id = $1
