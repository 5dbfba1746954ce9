-- One writer at a time for a record that may not be there yet.
SELECT pg_advisory_xact_lock(7462, hashtext($1::uuid::text))
