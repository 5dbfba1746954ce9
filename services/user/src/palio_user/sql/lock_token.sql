-- A refresh token and its session, both locked: of two that present the same token the second sees it used.
SELECT t.session_id, t.used_at IS NOT NULL AS used, t.expires_at <= now() AS expired, s.ended_at IS NOT NULL AS ended,
       s.user_id
FROM users.refresh_tokens AS t
JOIN users.sessions AS s USING (session_id)
WHERE t.token_hash = $1
FOR UPDATE OF s, t
