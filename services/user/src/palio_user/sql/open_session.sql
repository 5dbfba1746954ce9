-- Begin a family of refresh tokens.
INSERT INTO users.sessions (session_id, user_id, expires_at) VALUES ($1, $2, now() + $3::interval)
