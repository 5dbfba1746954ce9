-- Move a locked record to another state if it is in one of those; a phase that was told as final is told anew.
UPDATE tournament.tournaments
SET state = $2, announced_phase = CASE state WHEN 'withdrawn' THEN 'Scheduled' ELSE announced_phase END
WHERE id = $1 AND state = ANY ($3::text[])
