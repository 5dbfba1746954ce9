-- What is in an account, in one currency.
SELECT coalesce(sum(amount), 0)::bigint FROM tournament.ledger_entries WHERE account = $1 AND currency = $2
