-- Change what is given (null leaves it), but only for who knew the password that is still valid.
UPDATE users.accounts
SET email = coalesce($3, email), password_hash = coalesce($4, password_hash)
WHERE user_id = $1 AND password_hash = $2
RETURNING user_id, username, email, password_hash, roles, created_at
