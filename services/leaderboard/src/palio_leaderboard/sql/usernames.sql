-- The names of some users; deleted ones have one too.
SELECT user_id, username FROM users.profiles_v1 WHERE user_id = ANY ($1::uuid[])
