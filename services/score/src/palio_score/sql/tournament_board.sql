-- How a tournament's board is ordered; it never changes.
SELECT keep, score_order, ties FROM tournament.boards_v1 WHERE tournament_id = $1
