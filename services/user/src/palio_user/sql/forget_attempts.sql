-- Start counting at nothing again.
DELETE FROM users.sign_in_attempts WHERE username_key = $1
