-- The living accounts of these names that have no password: never one that somebody registered.
SELECT user_id, username, email, password_hash, roles, created_at
FROM users.accounts
WHERE username_key = ANY($1::bytea[]) AND password_hash = $2 AND deleted_at IS NULL
