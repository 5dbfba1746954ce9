-- The demo users that are there, by slot.
SELECT slot, username, user_id FROM generator.players WHERE population = $1 ORDER BY slot
