-- Remove a locked record that paid nothing; the foreign keys refuse any that did.
WITH entries AS (DELETE FROM tournament.entries WHERE tournament_id = $1),
prizes AS (DELETE FROM tournament.prizes WHERE tournament_id = $1)
DELETE FROM tournament.tournaments WHERE id = $1
