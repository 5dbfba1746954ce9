-- One page of a board in its total order, with the board's size and version: one snapshot, two scans.
-- $1 board  $2 sign (-1 if more is better)  $3 limit  $4 $5 $6 place, time and id of the row before the page, or nulls
-- Its first row's values are scalar subqueries, not a join: so both scans may run in parallel.
WITH board AS NOT MATERIALIZED (
    SELECT user_id, score * $2::bigint AS place, reached_at, version FROM score.standings_v1 WHERE board = $1
),
page AS MATERIALIZED (
    SELECT user_id, place, reached_at FROM board
    WHERE $4::bigint IS NULL OR (place, reached_at, user_id) > ($4::bigint, $5::timestamptz, $6::uuid)
    ORDER BY place, reached_at, user_id
    LIMIT $3
),
first AS MATERIALIZED (
    SELECT place, reached_at, user_id FROM page ORDER BY place, reached_at, user_id LIMIT 1
),
whole AS (
    SELECT count(*) AS total, coalesce(sum(version), 0)::bigint AS version,
        count(*) FILTER (
            WHERE (place, reached_at, user_id)
                < ((SELECT place FROM first), (SELECT reached_at FROM first), (SELECT user_id FROM first))
        ) AS first_index,
        count(*) FILTER (WHERE place < (SELECT place FROM first)) AS first_better
    FROM board
)
SELECT w.total, w.version, w.first_index, w.first_better, p.user_id, p.place, p.reached_at
FROM whole AS w LEFT JOIN page AS p ON true
ORDER BY p.place, p.reached_at, p.user_id
