-- A transfer with its postings.
SELECT transfer.id, transfer.tournament_id, transfer.kind, transfer.prize_key, transfer.user_id, transfer.reverses,
    array_agg(entry.account ORDER BY entry.account) AS accounts,
    array_agg(entry.amount ORDER BY entry.account) AS amounts
FROM tournament.transfers AS transfer JOIN tournament.ledger_entries AS entry ON entry.transfer_id = transfer.id
WHERE transfer.id = $1 AND transfer.tournament_id = $2
GROUP BY transfer.id
