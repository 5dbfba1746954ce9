-- Hold a tournament's row until the end of the transaction: joins, leaves, cancels and settlement take turns.
SELECT state FROM tournament.tournaments WHERE id = $1 FOR UPDATE
