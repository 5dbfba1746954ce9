-- Those of a run's seconds that are named.
SELECT second, runners, row FROM generator.seconds WHERE run_id = $1 AND second = ANY($2::integer[])
