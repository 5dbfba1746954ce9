-- Redis has these flushes.
DELETE FROM score.pending_applies WHERE flush_id = ANY ($1::uuid[])
