-- The submissions of a flush, the note of what Redis has to learn from it, and no more notes of flushes that it has.
-- $1 [submission]   $2 the flush   $3 boards and $4 players whose standings changed, as array literals   $5 flushes
WITH submitted AS (
    INSERT INTO score.submissions (id, user_id, game_id, score, accepted_at, counted)
    SELECT id, user_id, game_id, score, accepted_at, counted
    FROM json_to_recordset($1::json) AS submission (
        id uuid, user_id uuid, game_id text, score bigint, accepted_at timestamptz, counted boolean
    )
),
noted AS (
    INSERT INTO score.pending_applies (flush_id, boards, users)
    SELECT $2, $3::text::text[], $4::text::uuid[]
    WHERE $4::text <> '{}'
)
DELETE FROM score.pending_applies WHERE flush_id = ANY ($5::uuid[])
