-- A run's last seconds, oldest first.
SELECT row FROM (
    SELECT second, row FROM generator.seconds WHERE run_id = $1 ORDER BY second DESC LIMIT $2
) AS newest ORDER BY second
