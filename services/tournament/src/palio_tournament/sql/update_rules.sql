-- Write the rules of a locked record anew; the caller has asked which of them may still change.
UPDATE tournament.tournaments
SET name = $2, game_id = $3, keep = $4, score_order = $5, ties = $6, starts_at = $7, ends_at = $8, settles_at = $9,
    entry = $10, max_participants = $11, prize_pool = $12, currency = $13
WHERE id = $1
