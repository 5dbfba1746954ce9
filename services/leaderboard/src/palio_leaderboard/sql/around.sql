-- A player with $4 rows on either side (more on one where the other ends): one snapshot, three scans, four if $5.
-- $1 board  $2 sign (-1 if more is better)  $3 user id  $4 radius  $5 whether rows with a better score are to be counted
-- The player's own values are scalar subqueries, not a join: so the scans may run in parallel and keep only the nearest.
WITH board AS NOT MATERIALIZED (
    SELECT user_id, score * $2::bigint AS place, reached_at, version FROM score.standings_v1 WHERE board = $1
),
own AS MATERIALIZED (
    SELECT user_id, place, reached_at FROM board WHERE user_id = $3::uuid
),
whole AS MATERIALIZED (
    SELECT count(*) AS total, coalesce(sum(version), 0)::bigint AS version,
        count(*) FILTER (
            WHERE (place, reached_at, user_id)
                < ((SELECT place FROM own), (SELECT reached_at FROM own), (SELECT user_id FROM own))
        ) AS own_index
    FROM board
),
part AS MATERIALIZED (
    SELECT own_index, greatest(0, least(own_index - $4::int, total - (2 * $4::int + 1))) AS first_index FROM whole
),
above AS (
    SELECT user_id, place, reached_at FROM board
    WHERE (place, reached_at, user_id)
        < ((SELECT place FROM own), (SELECT reached_at FROM own), (SELECT user_id FROM own))
    ORDER BY place DESC, reached_at DESC, user_id DESC
    LIMIT (SELECT own_index - first_index FROM part)
),
below AS (
    SELECT user_id, place, reached_at FROM board
    WHERE (place, reached_at, user_id)
        > ((SELECT place FROM own), (SELECT reached_at FROM own), (SELECT user_id FROM own))
    ORDER BY place, reached_at, user_id
    LIMIT (SELECT 2 * $4::int - own_index + first_index FROM part)
),
page AS MATERIALIZED (
    SELECT user_id, place, reached_at FROM above
    UNION ALL SELECT user_id, place, reached_at FROM own
    UNION ALL SELECT user_id, place, reached_at FROM below
)
SELECT w.total, w.version, s.first_index,
    CASE WHEN $5 THEN (SELECT count(*) FROM board WHERE place < (SELECT min(place) FROM page)) ELSE 0 END AS first_better,
    p.user_id, p.place, p.reached_at
FROM whole AS w CROSS JOIN part AS s LEFT JOIN page AS p ON true
ORDER BY p.place, p.reached_at, p.user_id
