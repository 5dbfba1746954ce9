-- The clock, and the open tournaments that the players of a flush have joined. The acceptance lock is held already.
-- $1 [{game_id, user_id}]   Answers JSON: asyncpg takes three times as long over rows.
-- Where few tournaments are open each player is looked up in each; where many are, each player's entries are read
-- (players have thousands of old ones). OFFSET 0 keeps the planner from turning either into the other.
WITH acceptance AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
play AS MATERIALIZED (
    SELECT game_id, user_id FROM json_to_recordset($1::json) AS play (game_id text, user_id uuid)
),
open AS MATERIALIZED (
    SELECT opened.*
    FROM (SELECT DISTINCT game_id FROM play) AS played
    CROSS JOIN LATERAL (
        SELECT tournament_id, game_id, keep, score_order, ties, starts_at, ends_at
        FROM tournament.open_windows_v1
        WHERE game_id = played.game_id
            AND ends_at > (SELECT now FROM acceptance)
            AND starts_at < (SELECT now FROM acceptance) + interval '1 second'
        OFFSET 0
    ) AS opened
),
few AS MATERIALIZED (
    SELECT count(*) <= 32 AS are_open FROM open
),
entered AS (
    SELECT
        open.tournament_id, open.game_id, play.user_id, open.keep, open.score_order, open.ties,
        open.starts_at, open.ends_at, entry.joined_at
    FROM play
    JOIN open ON open.game_id = play.game_id
    CROSS JOIN LATERAL (
        SELECT joined_at FROM tournament.entries_v1
        WHERE tournament_id = open.tournament_id AND user_id = play.user_id
        OFFSET 0
    ) AS entry
    WHERE (SELECT are_open FROM few)
    UNION ALL
    SELECT
        open.tournament_id, open.game_id, play.user_id, open.keep, open.score_order, open.ties,
        open.starts_at, open.ends_at, entry.joined_at
    FROM play
    CROSS JOIN LATERAL (
        SELECT tournament_id, joined_at FROM tournament.entries_v1
        WHERE user_id = play.user_id
        OFFSET 0
    ) AS entry
    JOIN open ON open.tournament_id = entry.tournament_id AND open.game_id = play.game_id
    WHERE NOT (SELECT are_open FROM few)
)
SELECT
    (SELECT now FROM acceptance) AS now,
    (SELECT coalesce(json_agg(entered), '[]')::text FROM entered) AS entered
