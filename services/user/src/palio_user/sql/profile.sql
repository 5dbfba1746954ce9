-- What everybody may know of an account, erased ones included.
SELECT a.user_id, p.username, a.created_at
FROM users.accounts AS a
JOIN users.profiles_v1 AS p USING (user_id)
WHERE a.user_id = $1
