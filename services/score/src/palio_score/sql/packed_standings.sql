-- The standings of some players on one board, each packed in 40 bytes as apply.lua takes them.
-- $1 board   $2 whether more is better   $3 players
SELECT string_agg(
    uuid_send(held.user_id) || float8send((CASE WHEN $2 THEN -held.score ELSE held.score END)::float8)
        || int8send((extract(epoch FROM held.reached_at) * 1000000)::bigint) || int8send(held.version),
    ''::bytea)
FROM unnest($3::uuid[]) AS asked (user_id)
CROSS JOIN LATERAL (
    SELECT user_id, score, reached_at, version FROM score.standings
    WHERE board = $1 AND user_id = asked.user_id
    LIMIT 1
) AS held
