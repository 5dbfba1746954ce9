-- Keep a run the first time; a known id, or a second local run beside one that goes on, adds no row.
INSERT INTO generator.runs (id, place, namespace, name, plan, runners, duration_s, startup_deadline_s)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING
RETURNING id
