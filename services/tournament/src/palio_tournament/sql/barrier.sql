-- Wait until every score transaction that read the clock before now has committed (docs/adr/0005).
SELECT pg_advisory_xact_lock(7461, 1)
