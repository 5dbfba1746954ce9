-- Note what a run's rows add up to, and which second was told last.
UPDATE generator.runs SET so_far = $2, told_second = $3 WHERE id = $1
