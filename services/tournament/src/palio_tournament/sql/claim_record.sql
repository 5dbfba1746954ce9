-- Say which resource, in which revision, a locked record was written from.
UPDATE tournament.tournaments SET revision = $2, owner = $3, source = $4 WHERE id = $1
