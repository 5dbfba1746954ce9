-- Give a place back; the row of the tournament is locked.
WITH entry AS (
    DELETE FROM tournament.entries WHERE tournament_id = $1 AND user_id = $2 RETURNING tournament_id
)
UPDATE tournament.tournaments SET participants = participants - 1 WHERE id = (SELECT tournament_id FROM entry)
