-- Whether more flushes than this wait for Redis; counted no further than that.
SELECT count(*) > $1 FROM (SELECT FROM score.pending_applies LIMIT $1 + 1) AS waiting
