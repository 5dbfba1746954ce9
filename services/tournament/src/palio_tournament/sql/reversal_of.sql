-- The reversal of an award, if it was taken back.
SELECT id FROM tournament.transfers WHERE reverses = $1
