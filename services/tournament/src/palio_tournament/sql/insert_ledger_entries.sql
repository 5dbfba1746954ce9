-- Record the sides of transfers; at commit each transfer must sum to zero.
INSERT INTO tournament.ledger_entries (transfer_id, account, currency, amount)
SELECT side.* FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS side
