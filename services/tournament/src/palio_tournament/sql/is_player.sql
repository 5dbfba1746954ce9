-- Whether somebody of that id has an account.
SELECT EXISTS (SELECT FROM users.profiles_v1 WHERE user_id = $1 AND NOT deleted)
