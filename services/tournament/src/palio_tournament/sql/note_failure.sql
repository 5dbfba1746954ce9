-- Count a failed attempt to settle; the next one waits twice as long, after the last the tournament is failed.
UPDATE tournament.tournaments
SET settle_attempts = settle_attempts + 1, failure = $2,
    retry_at = clock_timestamp() + make_interval(secs => least(60, 2 ^ settle_attempts)),
    state = CASE WHEN settle_attempts + 1 >= $3 THEN 'failed' ELSE state END
WHERE id = $1 AND state = 'open'
