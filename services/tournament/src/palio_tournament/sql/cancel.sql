-- End a tournament without payment.
UPDATE tournament.tournaments SET state = 'cancelled' WHERE id = $1 AND state IN ('open', 'suspended', 'failed')
