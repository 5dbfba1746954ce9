-- Note that a piece is done, once; `$3` is the id of what it made, if it made one thing.
INSERT INTO generator.pieces (population, piece, done_at, made_id) VALUES ($1, $2, now(), $3)
ON CONFLICT (population, piece) DO UPDATE SET done_at = now(), made_id = excluded.made_id
WHERE pieces.done_at IS NULL
