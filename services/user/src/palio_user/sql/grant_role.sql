-- Add one role to a living account; granting it twice changes nothing.
UPDATE users.accounts
SET roles = CASE WHEN $2::text = ANY (roles) THEN roles ELSE roles || $2::text END
WHERE username_key = $1 AND deleted_at IS NULL
RETURNING user_id
