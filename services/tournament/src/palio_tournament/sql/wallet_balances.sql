-- What an account holds, by currency.
SELECT currency, sum(amount)::bigint AS amount FROM tournament.ledger_entries
WHERE account = $1 GROUP BY currency ORDER BY currency
