-- Note a demo user; noted before (slot or user), nothing changes.
INSERT INTO generator.players (population, slot, username, user_id) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
