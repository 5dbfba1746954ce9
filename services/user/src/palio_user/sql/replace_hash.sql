-- Store the same password hashed anew, unless it was changed meanwhile.
UPDATE users.accounts SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2
