-- Tournaments as they are now, by the database's clock.
SELECT id, name, game_id, keep, score_order, ties, starts_at, ends_at, settles_at, entry, max_participants, participants,
    prize_pool, currency, created_by, created_at, standings_digest, settled_at,
    tournament.phase(state, starts_at, ends_at, clock_timestamp()) AS phase
FROM tournament.tournaments WHERE id = ANY($1)
