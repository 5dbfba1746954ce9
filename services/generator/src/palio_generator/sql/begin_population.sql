-- Note a population's games the first time; whatever was noted first is answered (the update changes nothing).
INSERT INTO generator.populations (population, games) VALUES ($1, $2)
ON CONFLICT (population) DO UPDATE SET population = excluded.population
RETURNING games
