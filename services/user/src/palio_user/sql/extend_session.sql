-- A session lasts as long as its newest token.
UPDATE users.sessions SET expires_at = now() + $2::interval WHERE session_id = $1
