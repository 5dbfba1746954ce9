-- Forget sessions that nobody can continue; their tokens go with them.
DELETE FROM users.sessions WHERE expires_at < now()
