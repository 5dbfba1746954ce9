-- The ids of one page, newest first, after the row that (created_at, id) = ($3, $4) names.
SELECT id FROM tournament.tournaments
WHERE deleted_at IS NULL AND ($1::text IS NULL OR game_id = $1)
    AND ($2::text IS NULL OR tournament.phase(state, starts_at, ends_at, clock_timestamp()) = $2)
    AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
ORDER BY created_at DESC, id DESC LIMIT $5
