-- Forget runs that are over and too old, too many, or whose seconds with those of all newer runs are too many.
DELETE FROM generator.runs WHERE id IN (
    SELECT id FROM (
        SELECT id, outcome, created_at,
            row_number() OVER newest_first AS place,
            sum(ceil(duration_s)) OVER newest_first AS seconds
        FROM generator.runs WINDOW newest_first AS (ORDER BY created_at DESC, id DESC)
    ) AS aged
    WHERE outcome IS NOT NULL
        AND (place > $1 OR seconds > $2 OR created_at < clock_timestamp() - make_interval(days => $3))
)
RETURNING id
