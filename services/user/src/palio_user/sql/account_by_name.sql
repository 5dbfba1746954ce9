-- The living account of a name.
SELECT user_id, username, email, password_hash, roles, created_at
FROM users.accounts
WHERE username_key = $1 AND deleted_at IS NULL
