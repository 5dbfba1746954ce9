-- Whether a board has more players than this.
SELECT count(*) > $2 FROM (SELECT FROM score.standings WHERE board = $1 LIMIT $2 + 1) AS players
