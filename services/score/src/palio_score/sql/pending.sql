-- Flushes that Redis may not have, oldest first: their process died, or Redis was away.
SELECT flush_id, boards, users FROM score.pending_applies
WHERE created_at < clock_timestamp() - interval '1 second'
ORDER BY flush_id
LIMIT $1
