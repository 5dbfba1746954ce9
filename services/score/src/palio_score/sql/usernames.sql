-- Names of players that exist and were not deleted.
SELECT user_id, username FROM users.profiles_v1 WHERE user_id = ANY ($1::uuid[]) AND NOT deleted
