-- Forget used tokens that would be refused for their age anyway.
DELETE FROM users.refresh_tokens WHERE expires_at < now()
