-- Replace the roles that were granted to a living account.
UPDATE users.accounts SET roles = $2 WHERE user_id = $1 AND deleted_at IS NULL RETURNING user_id
