-- Forget the kept answer of a registration, which holds the name.
DELETE FROM users.idempotency_keys WHERE body = $1
