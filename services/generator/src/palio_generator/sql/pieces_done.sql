-- The pieces of work that are done.
SELECT piece FROM generator.pieces WHERE population = $1 AND done_at IS NOT NULL
