-- No token of this family is good any more; ending twice keeps the first time.
UPDATE users.sessions SET ended_at = coalesce(ended_at, now()) WHERE session_id = $1
