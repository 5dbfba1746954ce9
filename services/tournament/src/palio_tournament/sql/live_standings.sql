-- One page of a running board in its total order, after the row ($4, $5, $6); ranks are exact at each page.
WITH board AS NOT MATERIALIZED (
    SELECT user_id, score, reached_at, CASE $2::text WHEN 'desc' THEN -score ELSE score END AS place
    FROM score.standings_v1 WHERE board = $1
), page AS MATERIALIZED (
    SELECT user_id, score, reached_at, place FROM board
    WHERE $4::bigint IS NULL OR (place, reached_at, user_id) > ($4, $5::timestamptz, $6::uuid)
    ORDER BY place, reached_at, user_id LIMIT $7
), ahead AS MATERIALIZED (
    SELECT count(*) FILTER (WHERE (place, reached_at, user_id) <= ($4, $5::timestamptz, $6::uuid)) AS of_page,
        count(*) FILTER (WHERE place < (SELECT min(place) FROM page)) AS of_first_score,
        (SELECT min(place) FROM page) AS first_place
    FROM board
), numbered AS (
    SELECT page.*, ahead.of_page + row_number() OVER in_order AS position,
        CASE
            WHEN $3::text <> 'Shared' THEN ahead.of_page + row_number() OVER in_order
            WHEN place = ahead.first_place THEN ahead.of_first_score + 1
            ELSE ahead.of_page + rank() OVER (ORDER BY place)
        END AS rank
    FROM page CROSS JOIN ahead WINDOW in_order AS (ORDER BY place, reached_at, user_id)
)
SELECT position, rank, user_id, coalesce(profile.username, 'Deleted player') AS username, score, reached_at
FROM numbered LEFT JOIN users.profiles_v1 AS profile USING (user_id) ORDER BY position
