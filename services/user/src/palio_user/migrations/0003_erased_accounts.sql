-- Who was erased within the last 20 minutes, longer than an access token lives: every service that obeys tokens looks here.
CREATE INDEX accounts_by_erasure ON users.accounts (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE VIEW users.erased_v1 AS
SELECT user_id FROM users.accounts WHERE deleted_at > now() - interval '20 minutes';
GRANT USAGE ON SCHEMA users TO palio_game;
GRANT SELECT ON users.erased_v1 TO palio_game, palio_leaderboard, palio_score, palio_tournament;
