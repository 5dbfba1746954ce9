-- Forget names that were not tried for a day.
DELETE FROM users.sign_in_attempts WHERE retry_at < now() - interval '1 day'
