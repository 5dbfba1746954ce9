-- The next standings of a board in the order of players, each packed in 40 bytes as apply.lua takes them.
-- $1 board   $2 whether more is better   $3 after this player   $4 how many
SELECT string_agg(
    uuid_send(user_id) || float8send((CASE WHEN $2 THEN -score ELSE score END)::float8)
        || int8send((extract(epoch FROM reached_at) * 1000000)::bigint) || int8send(version),
    ''::bytea ORDER BY user_id)
FROM (
    SELECT user_id, score, reached_at, version FROM score.standings
    WHERE board = $1 AND user_id > $3
    ORDER BY user_id
    LIMIT $4
) AS chunk
