-- Let a failed settlement be tried again.
UPDATE tournament.tournaments SET state = 'open', settle_attempts = 0, retry_at = NULL, failure = NULL
WHERE id = $1 AND state = 'failed'
