-- Seconds until this name may be tried again.
SELECT extract(epoch FROM retry_at - clock_timestamp())::float8 FROM users.sign_in_attempts WHERE username_key = $1
