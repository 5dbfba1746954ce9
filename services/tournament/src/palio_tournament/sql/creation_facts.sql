-- The database's clock, and a game's defaults if there is such a game.
SELECT clock_timestamp() AS now, rules.keep, rules.score_order
FROM (VALUES (1)) AS always LEFT JOIN game.rules_v1 AS rules ON rules.game_id = $1
