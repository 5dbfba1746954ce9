-- The order and ties of some tournaments' boards; tournaments that do not exist are left out.
SELECT tournament_id, score_order, ties FROM tournament.boards_v1 WHERE tournament_id = ANY ($1::uuid[])
