-- Add a game; no row if there is one of that id.
INSERT INTO game.games
    (game_id, title, description, score_order, keep, score_min, score_max, score_unit, counts_globally)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (game_id) DO NOTHING
RETURNING created_at
