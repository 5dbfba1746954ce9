-- How a settled tournament ended.
SELECT tournament.id, tournament.settled_at, tournament.standings_digest, tournament.currency,
    count(award.id) AS awards, coalesce(sum(entry.amount), 0)::bigint AS paid,
    tournament.prize_pool - coalesce(sum(entry.amount), 0)::bigint AS unclaimed
FROM tournament.tournaments AS tournament
LEFT JOIN tournament.transfers AS award ON award.tournament_id = tournament.id AND award.kind = 'award'
LEFT JOIN tournament.ledger_entries AS entry
    ON entry.transfer_id = award.id AND entry.account = 'player:' || award.user_id
WHERE tournament.id = $1 AND tournament.state = 'completed'
GROUP BY tournament.id
