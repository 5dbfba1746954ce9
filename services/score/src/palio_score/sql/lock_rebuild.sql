-- Whether this transaction may rebuild the board: one at a time, wherever it runs.
SELECT pg_try_advisory_xact_lock(7462, hashtext($1))
