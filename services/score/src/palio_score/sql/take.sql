-- Take each seat's share of a flush into its standing, and what bests have improved into the global ones.
-- $1 [share] of games' and tournaments' boards, a board and player at most once
-- Rows are locked in one order for everybody: by board and player, then the global board by player.
-- Answers JSON: what stands and what stood, of shares by position, of global standings by player.
WITH share AS MATERIALIZED (
    SELECT position, board, user_id, rule, score, total, reached_at, submissions, counts_globally
    FROM ROWS FROM (json_to_recordset($1::json) AS (
        board text, user_id uuid, rule "char", score bigint, total bigint, reached_at timestamptz, submissions bigint,
        counts_globally boolean
    )) WITH ORDINALITY
        AS share (board, user_id, rule, score, total, reached_at, submissions, counts_globally, position)
),
taken AS (
    INSERT INTO score.standings AS held (board, user_id, rule, score, total, reached_at, version, submissions)
    SELECT board, user_id, rule, score, total, reached_at, 1, submissions
    FROM share
    ORDER BY board COLLATE "C", user_id
    ON CONFLICT (board, user_id) DO UPDATE
    SET score = CASE
            WHEN held.rule = 's' THEN score.shown(held.total, excluded.total)
            WHEN score.changes(
                held.rule, held.score, held.total, held.reached_at, excluded.score, excluded.total, excluded.reached_at
            ) THEN excluded.score
            ELSE held.score
        END,
        total = greatest(-2305843009213693952, least(2305843009213693952, held.total + excluded.total)),
        reached_at = CASE
            WHEN NOT score.changes(
                held.rule, held.score, held.total, held.reached_at, excluded.score, excluded.total, excluded.reached_at
            ) THEN held.reached_at
            WHEN held.rule = 's' THEN greatest(held.reached_at, excluded.reached_at)
            ELSE excluded.reached_at
        END,
        version = held.version + score.changes(
            held.rule, held.score, held.total, held.reached_at, excluded.score, excluded.total, excluded.reached_at
        )::integer,
        submissions = held.submissions + excluded.submissions,
        previous_score = held.score,
        previous_reached_at = held.reached_at
    RETURNING board, user_id, score, total, reached_at, version, submissions, previous_score, previous_reached_at
),
improved AS (
    SELECT
        taken.user_id, sum(taken.score - coalesce(taken.previous_score, 0)) AS total,
        max(taken.reached_at) AS reached_at, sum(share.submissions) AS submissions
    FROM taken
    JOIN share ON share.board = taken.board AND share.user_id = taken.user_id
    WHERE share.counts_globally AND taken.score IS DISTINCT FROM taken.previous_score
    GROUP BY taken.user_id
),
overall AS (
    INSERT INTO score.standings AS held (board, user_id, rule, score, total, reached_at, version, submissions)
    SELECT
        'global', user_id, 's', score.shown(0, amount), amount, reached_at, 1, submissions
    FROM (
        SELECT
            user_id, greatest(-2305843009213693952, least(2305843009213693952, total))::bigint AS amount, reached_at,
            submissions
        FROM improved
    ) AS improved
    ORDER BY user_id
    ON CONFLICT (board, user_id) DO UPDATE
    SET score = score.shown(held.total, excluded.total),
        total = greatest(-2305843009213693952, least(2305843009213693952, held.total + excluded.total)),
        reached_at = CASE
            WHEN score.shown(held.total, excluded.total) = held.score THEN held.reached_at
            ELSE greatest(held.reached_at, excluded.reached_at)
        END,
        version = held.version + (score.shown(held.total, excluded.total) <> held.score)::integer,
        submissions = held.submissions + excluded.submissions,
        previous_score = held.score,
        previous_reached_at = held.reached_at
    RETURNING user_id, score, total, reached_at, version, submissions, previous_score, previous_reached_at
)
SELECT
    (
        SELECT json_agg(seat)::text
        FROM (
            SELECT
                share.position, taken.score, taken.total, taken.reached_at, taken.version, taken.submissions,
                taken.previous_score, taken.previous_reached_at
            FROM taken
            JOIN share ON share.board = taken.board AND share.user_id = taken.user_id
        ) AS seat
    ) AS taken,
    (SELECT coalesce(json_agg(overall), '[]')::text FROM overall) AS overall
