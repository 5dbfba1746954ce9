-- What tournaments paid, best rank first, after a position; a reversed award says when it was taken back.
SELECT award.tournament_id, award.prize_key, award.user_id, coalesce(profile.username, 'Deleted player') AS username,
    standing.rank, standing.position, entry.amount, entry.currency, award.id AS transfer_id,
    award.created_at AS paid_at, reversal.created_at AS reversed_at
FROM tournament.transfers AS award
JOIN tournament.ledger_entries AS entry ON entry.transfer_id = award.id AND entry.account = 'player:' || award.user_id
JOIN tournament.final_standings AS standing
    ON standing.tournament_id = award.tournament_id AND standing.user_id = award.user_id
LEFT JOIN tournament.transfers AS reversal ON reversal.reverses = award.id
LEFT JOIN users.profiles_v1 AS profile ON profile.user_id = award.user_id
WHERE award.tournament_id = ANY($1) AND award.kind = 'award' AND standing.position > $2
ORDER BY award.tournament_id, standing.position LIMIT $3
