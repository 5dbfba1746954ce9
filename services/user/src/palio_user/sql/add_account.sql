-- Take a name and an e-mail address; each is unique, and the constraint's name tells which one was taken.
INSERT INTO users.accounts (user_id, username_key, username, email, password_hash)
VALUES ($1, $2, $3, $4, $5)
RETURNING created_at
