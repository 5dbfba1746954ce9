-- An account's entries, newest first, after a transfer.
SELECT transfer.id AS transfer_id, transfer.tournament_id, tournament.name AS tournament_name, transfer.kind,
    transfer.prize_key, entry.currency, entry.amount, transfer.created_at
FROM tournament.ledger_entries AS entry
JOIN tournament.transfers AS transfer ON transfer.id = entry.transfer_id
JOIN tournament.tournaments AS tournament ON tournament.id = transfer.tournament_id
WHERE entry.account = $1 AND ($2::uuid IS NULL OR entry.transfer_id < $2)
ORDER BY entry.transfer_id DESC LIMIT $3
