-- A piece that was planned too long ago and not done is planned for now.
UPDATE generator.pieces SET planned_at = now()
WHERE population = $1 AND piece = $2 AND done_at IS NULL
RETURNING planned_at, done_at, made_id
