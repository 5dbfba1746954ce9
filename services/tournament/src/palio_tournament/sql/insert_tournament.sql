-- Write a tournament's rules; they can never be changed.
INSERT INTO tournament.tournaments (
    id, name, game_id, format, keep, score_order, ties, starts_at, ends_at, settles_at,
    entry, max_participants, prize_pool, currency, created_by
) VALUES ($1, $2, $3, 'ScoreRace', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
