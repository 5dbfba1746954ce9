-- Give prizes that were paid the values they were paid by.
UPDATE tournament.prizes AS kept SET rank_first = prize.rank_first, rank_last = prize.rank_last, amount = prize.amount
FROM unnest($2::text[], $3::integer[], $4::integer[], $5::bigint[]) AS prize (key, rank_first, rank_last, amount)
WHERE kept.tournament_id = $1 AND kept.key = prize.key
