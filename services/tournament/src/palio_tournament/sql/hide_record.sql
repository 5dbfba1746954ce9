-- Tell a locked record in no list any more.
UPDATE tournament.tournaments SET deleted_at = clock_timestamp() WHERE id = $1 AND deleted_at IS NULL
