-- The boards that must stand in Redis: they are being played on.
SELECT 'global' AS board
UNION ALL
SELECT 'game:' || game_id FROM game.rules_v1
UNION ALL
SELECT 'tournament:' || tournament_id FROM tournament.open_windows_v1
