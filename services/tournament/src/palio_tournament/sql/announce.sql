-- Take note of phases nobody was told of; each is returned to exactly one caller.
WITH passed AS (
    SELECT id, tournament.phase(state, starts_at, ends_at, clock_timestamp()) AS phase
    FROM tournament.tournaments
    WHERE announced_phase NOT IN ('Completed', 'Cancelled', 'Failed')
        AND announced_phase <> tournament.phase(state, starts_at, ends_at, clock_timestamp())
    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE tournament.tournaments AS tournament SET announced_phase = passed.phase
FROM passed WHERE tournament.id = passed.id
RETURNING tournament.id, passed.phase
