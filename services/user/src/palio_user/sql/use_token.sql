-- A token is good for one rotation.
UPDATE users.refresh_tokens SET used_at = now() WHERE token_hash = $1
