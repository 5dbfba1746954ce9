-- Open the barrier, once: load begins so many seconds from now.
UPDATE generator.runs SET start_at = clock_timestamp() + make_interval(secs => $2)
WHERE id = $1 AND start_at IS NULL
