-- Hold an account as it was when its password was checked: a password change or erasure waits, or no row is found.
SELECT user_id FROM users.accounts WHERE user_id = $1 AND password_hash = $2 FOR SHARE
