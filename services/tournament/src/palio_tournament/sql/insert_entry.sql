-- Give a player one place; the row of the tournament is locked, so the count cannot be passed by.
WITH entry AS (
    INSERT INTO tournament.entries (tournament_id, user_id, joined_at) VALUES ($1, $2, $3) RETURNING tournament_id
)
UPDATE tournament.tournaments SET participants = participants + 1 WHERE id = (SELECT tournament_id FROM entry)
