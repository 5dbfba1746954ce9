-- Copy the boards of locked tournaments in their total order; the barrier was taken, so nothing is still on its way.
INSERT INTO tournament.final_standings (tournament_id, position, rank, user_id, score, reached_at)
SELECT tournament.id, row_number() OVER in_order,
    CASE tournament.ties WHEN 'Shared' THEN rank() OVER by_score ELSE row_number() OVER in_order END,
    standing.user_id, standing.score, standing.reached_at
FROM tournament.tournaments AS tournament
JOIN score.standings_v1 AS standing ON standing.board = 'tournament:' || tournament.id
JOIN tournament.entries AS entry ON entry.tournament_id = tournament.id AND entry.user_id = standing.user_id
WHERE tournament.id = ANY($1) AND standing.board = ANY($2::text[])
WINDOW by_score AS (
        PARTITION BY tournament.id
        ORDER BY CASE tournament.score_order WHEN 'desc' THEN -standing.score ELSE standing.score END
    ), in_order AS (
        PARTITION BY tournament.id
        ORDER BY CASE tournament.score_order WHEN 'desc' THEN -standing.score ELSE standing.score END,
            standing.reached_at, standing.user_id
    )
