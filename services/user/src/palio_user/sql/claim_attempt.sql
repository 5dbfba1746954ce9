-- Count a password check before it runs and answer its number; no row if this name must wait.
-- The row's lock makes twins queue here, so a thousand guesses at once are still one after another.
INSERT INTO users.sign_in_attempts AS kept (username_key, attempts, retry_at)
VALUES ($1, 1, clock_timestamp() + make_interval(secs => ($2::float8[])[1]))
ON CONFLICT (username_key) DO UPDATE SET
    attempts = kept.attempts + 1,
    retry_at = clock_timestamp()
        + make_interval(secs => ($2::float8[])[least(kept.attempts + 1, cardinality($2::float8[]))])
WHERE kept.retry_at <= clock_timestamp()
RETURNING attempts
