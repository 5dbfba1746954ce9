-- Make room for other prizes of a locked record that paid none.
DELETE FROM tournament.prizes WHERE tournament_id = $1
