-- Keep the exact answers under their keys: whoever has seen one gets the same bytes again, after a crash too.
-- $1 route   $2 [{caller, key, fingerprint, submission_id, body}]
INSERT INTO score.idempotency_keys (caller, route, key, fingerprint, status, body, submission_id)
SELECT caller, $1, key, decode(fingerprint, 'hex'), 201, convert_to(body, 'UTF8'), submission_id
FROM json_to_recordset($2::json) AS answer (
    caller text, key text, fingerprint text, submission_id uuid, body text
)
ORDER BY caller, key
ON CONFLICT (caller, route, key) DO UPDATE SET body = excluded.body
WHERE score.idempotency_keys.body = ''
