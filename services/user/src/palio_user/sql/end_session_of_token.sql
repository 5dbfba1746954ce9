-- End the family that a token belongs to, whether or not it is the newest of it.
UPDATE users.sessions SET ended_at = coalesce(ended_at, now())
WHERE session_id = (SELECT session_id FROM users.refresh_tokens WHERE token_hash = $1)
