-- Record transfers; the unique indexes let no award be paid, and no pool be funded, twice.
INSERT INTO tournament.transfers (id, tournament_id, kind, prize_key, user_id, reverses, made_by)
SELECT made.*, $7::text
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[]) AS made
