-- The clock, read while the tournament's row is locked, and the player's entry if there is one.
SELECT clock_timestamp() AS now,
    (SELECT joined_at FROM tournament.entries WHERE tournament_id = $1 AND user_id = $2) AS joined_at
