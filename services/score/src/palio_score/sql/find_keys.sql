-- What is kept under idempotency keys; a key that is not there has no row. Young ones may still be being answered.
SELECT
    asked.position, kept.fingerprint, kept.status, kept.body, kept.submission_id,
    kept.created_at > clock_timestamp() - interval '2 seconds' AS young
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS asked (caller, key, position)
CROSS JOIN LATERAL (
    SELECT fingerprint, status, body, submission_id, created_at FROM score.idempotency_keys
    WHERE caller = asked.caller AND route = $1 AND key = asked.key
    LIMIT 1
) AS kept
