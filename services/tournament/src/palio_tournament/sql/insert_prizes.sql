-- Write a tournament's prizes; they can never be changed.
INSERT INTO tournament.prizes (tournament_id, key, rank_first, rank_last, amount)
SELECT $1, prize.* FROM unnest($2::text[], $3::integer[], $4::integer[], $5::bigint[]) AS prize
