-- The living account of an id.
SELECT user_id, username, email, password_hash, roles, created_at
FROM users.accounts
WHERE user_id = $1 AND deleted_at IS NULL
