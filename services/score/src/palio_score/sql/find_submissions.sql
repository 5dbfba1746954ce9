-- Submissions by id.
SELECT id, user_id, game_id, score, accepted_at, counted FROM score.submissions WHERE id = ANY ($1::uuid[])
