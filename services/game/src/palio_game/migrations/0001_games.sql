-- The catalogue. No right to change or delete: rules of a game never change, so nobody has to be told.
CREATE SCHEMA game;
GRANT USAGE ON SCHEMA game TO palio_game;

CREATE TABLE game.games (
    game_id         text        PRIMARY KEY,
    title           text        NOT NULL,
    description     text        NOT NULL,
    score_order     text        NOT NULL CHECK (score_order IN ('desc', 'asc')),
    keep            text        NOT NULL CHECK (keep IN ('best', 'sum', 'last')),
    score_min       bigint      NOT NULL,
    score_max       bigint      NOT NULL,
    score_unit      text        NOT NULL,
    counts_globally boolean     NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bounds_are_safe_integers CHECK (
        -9007199254740991 <= score_min AND score_min <= score_max AND score_max <= 9007199254740991
    ),
    -- The global board adds up bests of which more is better.
    CONSTRAINT only_bests_count_globally CHECK (NOT counts_globally OR (score_order = 'desc' AND keep = 'best'))
);
GRANT SELECT, INSERT ON game.games TO palio_game;

CREATE TABLE game.idempotency_keys (
    caller      text        NOT NULL,
    route       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    body        bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_by_age ON game.idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON game.idempotency_keys TO palio_game;

CREATE VIEW game.rules_v1 AS
SELECT game_id, title, score_order, keep, score_min, score_max, counts_globally
FROM game.games;
GRANT USAGE ON SCHEMA game TO palio_score, palio_leaderboard, palio_tournament, palio_generator;
GRANT SELECT ON game.rules_v1 TO palio_score, palio_leaderboard, palio_tournament, palio_generator;

INSERT INTO game.games
    (game_id, title, description, score_order, keep, score_min, score_max, score_unit, counts_globally)
VALUES
    ('space-race', 'Space Race', 'Dodge the asteroid belt; the longer the run, the more a gate is worth.',
     'desc', 'best', 0, 10000000, 'points', true),
    ('block-cascade', 'Block Cascade', 'Falling blocks, combos and one last line.',
     'desc', 'best', 0, 5000000, 'points', true),
    ('neon-arena', 'Neon Arena', 'Last one standing under neon lights; every knock-out and every second counts.',
     'desc', 'best', 0, 100000, 'points', true),
    ('canyon-time-trial', 'Canyon Time Trial', 'One lap through the canyon against the clock. The fastest lap stands.',
     'asc', 'best', 10000, 3600000, 'ms', false),
    ('harvest-festival', 'Harvest Festival', 'Bring in the crop all season long; every basket is added up.',
     'desc', 'sum', 0, 10000, 'baskets', false),
    ('chess-ladder', 'Chess Ladder', 'Your rating after the latest game, for better or worse.',
     'desc', 'last', 100, 4000, 'rating', false);
