-- Claim idempotency keys in one order for everybody; answers those claimed now, waits for a twin to end.
-- $1 route   $2 [{caller, key, fingerprint, submission_id}]
INSERT INTO score.idempotency_keys (caller, route, key, fingerprint, status, body, submission_id)
SELECT caller, $1, key, decode(fingerprint, 'hex'), 201, '', submission_id
FROM json_to_recordset($2::json) AS claim (caller text, key text, fingerprint text, submission_id uuid)
ORDER BY caller, key
ON CONFLICT (caller, route, key) DO NOTHING
RETURNING caller, key
