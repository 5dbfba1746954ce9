-- A registration's kept answer holds the name, so an erasure must find it; equality only, hence a hash index.
CREATE INDEX idempotency_keys_by_body ON users.idempotency_keys USING hash (body);
