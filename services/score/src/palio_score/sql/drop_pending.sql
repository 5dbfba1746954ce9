-- Take away the oldest notes; their boards, each once, must be rebuilt before this commits.
-- By range, not by list: a table that nobody has analysed yet would be compared note by note with every note.
WITH dropped AS (
    DELETE FROM score.pending_applies
    WHERE flush_id <= (
        SELECT flush_id FROM (SELECT flush_id FROM score.pending_applies ORDER BY flush_id LIMIT $1) AS oldest
        ORDER BY flush_id DESC
        LIMIT 1
    )
    RETURNING boards
)
SELECT DISTINCT board FROM dropped CROSS JOIN LATERAL unnest(dropped.boards) AS board
