-- Accounts, sessions and sign-in attempts. No right to delete accounts: a name once used is never free again.
CREATE SCHEMA users;
GRANT USAGE ON SCHEMA users TO palio_user;

CREATE TABLE users.accounts (
    user_id       uuid        PRIMARY KEY,
    username_key  bytea       NOT NULL CONSTRAINT accounts_username_unique UNIQUE,
    username      text,
    email         text        CONSTRAINT accounts_email_unique UNIQUE,
    password_hash text,
    roles         text[]      NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    deleted_at    timestamptz,
    CONSTRAINT known_roles CHECK (roles <@ ARRAY['organiser', 'server', 'admin']),
    -- An erased account keeps nothing but its id and the digest of its name.
    CONSTRAINT whole_or_erased CHECK (
        CASE WHEN deleted_at IS NULL
            THEN username IS NOT NULL AND email IS NOT NULL AND password_hash IS NOT NULL
            ELSE username IS NULL AND email IS NULL AND password_hash IS NULL AND roles = '{}'
        END
    )
);
COMMENT ON COLUMN users.accounts.username_key IS 'SHA-256 of the lower-case name';
GRANT SELECT, INSERT, UPDATE ON users.accounts TO palio_user;

-- A session is a family of refresh tokens, each made from the one before it.
CREATE TABLE users.sessions (
    session_id uuid        PRIMARY KEY,
    user_id    uuid        NOT NULL REFERENCES users.accounts,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX sessions_by_user ON users.sessions (user_id);
CREATE INDEX sessions_by_expiry ON users.sessions (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON users.sessions TO palio_user;

CREATE TABLE users.refresh_tokens (
    token_hash bytea       PRIMARY KEY,
    session_id uuid        NOT NULL REFERENCES users.sessions ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
COMMENT ON COLUMN users.refresh_tokens.token_hash IS 'SHA-256 of a random token; the token itself is never stored';
CREATE INDEX refresh_tokens_by_session ON users.refresh_tokens (session_id);
CREATE INDEX refresh_tokens_by_expiry ON users.refresh_tokens (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON users.refresh_tokens TO palio_user;

-- Kept for names that do not exist too, so that being made to wait tells nobody which names do.
CREATE TABLE users.sign_in_attempts (
    username_key bytea       PRIMARY KEY,
    attempts     integer     NOT NULL,
    retry_at     timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_by_age ON users.sign_in_attempts (retry_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON users.sign_in_attempts TO palio_user;

CREATE TABLE users.idempotency_keys (
    caller      text        NOT NULL,
    route       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    body        bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_by_age ON users.idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON users.idempotency_keys TO palio_user;

CREATE VIEW users.profiles_v1 AS
SELECT user_id, coalesce(username, 'Deleted player') AS username, deleted_at IS NOT NULL AS deleted
FROM users.accounts;
GRANT USAGE ON SCHEMA users TO palio_leaderboard, palio_score, palio_tournament, palio_generator;
GRANT SELECT ON users.profiles_v1 TO palio_user, palio_leaderboard, palio_score, palio_tournament, palio_generator;
