-- Plan a piece the first time; its first plan is answered ever after (the update changes nothing, it only answers).
INSERT INTO generator.pieces (population, piece) VALUES ($1, $2)
ON CONFLICT (population, piece) DO UPDATE SET piece = excluded.piece
RETURNING planned_at, done_at, made_id
