-- Where some players of a board are: one snapshot, two scans of the board however many players are asked for.
-- $1 board  $2 sign (-1 if more is better)  $3 user ids
-- Places are counted between the asked players' own (width_bucket), then those with an equal place are compared.
WITH board AS NOT MATERIALIZED (
    SELECT user_id, score * $2::bigint AS place, reached_at, version FROM score.standings_v1 WHERE board = $1
),
asked AS MATERIALIZED (
    SELECT user_id, place, reached_at FROM board WHERE user_id = ANY ($3::uuid[])
),
steps AS MATERIALIZED (
    SELECT coalesce(array_agg(DISTINCT place ORDER BY place), '{}') AS places FROM asked
),
buckets AS MATERIALIZED (
    SELECT width_bucket(place, (SELECT places FROM steps)) AS bucket, count(*) AS players, sum(version) AS version
    FROM board GROUP BY 1
),
whole AS (
    SELECT coalesce(sum(players), 0)::bigint AS total, coalesce(sum(version), 0)::bigint AS version FROM buckets
),
level AS MATERIALIZED (
    SELECT user_id, place, reached_at FROM board WHERE place = ANY ((SELECT places FROM steps)::bigint[])
),
equals AS (
    SELECT a.user_id, count(*) AS earlier
    FROM asked AS a
    JOIN level AS l ON l.place = a.place AND (l.reached_at, l.user_id) < (a.reached_at, a.user_id)
    GROUP BY a.user_id
)
SELECT w.total, w.version, a.user_id, a.place, a.reached_at, e.earlier,
    (SELECT sum(players) FROM buckets WHERE bucket < array_position(s.places, a.place))::bigint AS better
FROM whole AS w
CROSS JOIN steps AS s
LEFT JOIN asked AS a ON true
LEFT JOIN equals AS e ON e.user_id = a.user_id
