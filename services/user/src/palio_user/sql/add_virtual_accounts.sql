-- Make accounts without a password, which nobody can log in to; those whose name or address is taken are left out.
INSERT INTO users.accounts (user_id, username_key, username, email, password_hash)
SELECT user_id, username_key, username, email, $5
FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[]) AS wanted (user_id, username_key, username, email)
ON CONFLICT DO NOTHING
