-- Take back an attempt whose password was never looked at.
UPDATE users.sign_in_attempts
SET attempts = greatest(attempts - 1, 0), retry_at = clock_timestamp()
WHERE username_key = $1
