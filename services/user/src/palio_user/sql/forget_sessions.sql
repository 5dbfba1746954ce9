-- Erase a user's sessions with their tokens.
DELETE FROM users.sessions WHERE user_id = $1
