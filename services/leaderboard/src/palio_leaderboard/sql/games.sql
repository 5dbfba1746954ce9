-- The order of some games' boards; games that do not exist are left out.
SELECT game_id, score_order FROM game.rules_v1 WHERE game_id = ANY ($1::text[])
