-- Sign a user out everywhere.
UPDATE users.sessions SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL
