-- Forget who it was; the id stays for ledgers and boards, the name's digest so that nobody can take the name.
UPDATE users.accounts
SET username = NULL, email = NULL, password_hash = NULL, roles = '{}', deleted_at = now()
WHERE user_id = $1 AND deleted_at IS NULL
