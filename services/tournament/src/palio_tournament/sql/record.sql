-- What an operator must know of a record besides its rules, by the database's clock.
SELECT tournament.state, tournament.revision, tournament.owner, tournament.source, tournament.failure,
    clock_timestamp() AS now, count(award.id) AS awards, coalesce(sum(entry.amount), 0)::bigint AS paid
FROM tournament.tournaments AS tournament
LEFT JOIN tournament.transfers AS award ON award.tournament_id = tournament.id AND award.kind = 'award'
LEFT JOIN tournament.ledger_entries AS entry
    ON entry.transfer_id = award.id AND entry.account = 'player:' || award.user_id
WHERE tournament.id = $1 GROUP BY tournament.id
