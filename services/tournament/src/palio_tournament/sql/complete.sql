-- Close settled tournaments for ever.
UPDATE tournament.tournaments AS tournament
SET state = 'completed', standings_digest = settled.digest, settled_at = now(), failure = NULL, retry_at = NULL
FROM unnest($1::uuid[], $2::text[]) AS settled (id, digest) WHERE tournament.id = settled.id
