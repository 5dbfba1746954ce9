-- Submissions, the standings they make, and what Redis was not told yet.
-- Submissions are append-only by grant; standings have no index on score, so that an improved one stays a HOT update.
CREATE SCHEMA score;
GRANT USAGE ON SCHEMA score TO palio_score, palio_leaderboard, palio_tournament, palio_user;

CREATE TABLE score.submissions (
    id          uuid        PRIMARY KEY,
    user_id     uuid        NOT NULL,
    accepted_at timestamptz NOT NULL,
    score       bigint      NOT NULL CHECK (score BETWEEN -9007199254740991 AND 9007199254740991),
    counted     boolean     NOT NULL,
    game_id     text        NOT NULL
);
COMMENT ON COLUMN score.submissions.id IS 'version 7 with microseconds: ids sort as accepted_at does';
COMMENT ON COLUMN score.submissions.counted IS 'whether it changed a standing of its player';
CREATE INDEX submissions_by_user ON score.submissions (user_id, id);
GRANT SELECT, INSERT ON score.submissions TO palio_score;

CREATE TABLE score.standings (
    user_id             uuid        NOT NULL,
    reached_at          timestamptz NOT NULL,
    previous_reached_at timestamptz,
    score               bigint      NOT NULL CHECK (score BETWEEN -9007199254740991 AND 9007199254740991),
    previous_score      bigint,
    total               bigint      NOT NULL,
    version             bigint      NOT NULL,
    submissions         bigint      NOT NULL,
    rule                "char"      NOT NULL DEFAULT 'd' CHECK (rule IN ('d', 'a', 'l', 's')),
    board               text        COLLATE "C" NOT NULL,
    PRIMARY KEY (board, user_id)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
COMMENT ON COLUMN score.standings.rule IS 'how the board keeps: d best, more is better; a best, less is better; l last; s sum';
COMMENT ON COLUMN score.standings.total IS 'what sums add up, their score is this within the safe integers; 0 for others';
COMMENT ON COLUMN score.standings.version IS 'one more for each flush that changed score or reached_at';
COMMENT ON COLUMN score.standings.submissions IS 'how many were taken; on the global board those that changed it';
COMMENT ON COLUMN score.standings.previous_score IS 'before the last flush, whose own statement reads it (no RETURNING old before 18)';
GRANT SELECT, INSERT, UPDATE ON score.standings TO palio_score;

-- What a sum shows: the nearest safe integer. Totals stay within 2^61, so that adding two of them is no overflow.
CREATE FUNCTION score.shown(held_total bigint, total bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(-9007199254740991, least(9007199254740991, held_total + total))
$$;

-- Whether a share of a flush changes a standing: on the whole tuple (score, reached_at), so that the outcome does not
-- depend on which of two concurrent flushes comes first. The planner puts it in place of its calls.
CREATE FUNCTION score.changes(
    rule "char", held_score bigint, held_total bigint, held_at timestamptz, score bigint, total bigint, at timestamptz
) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE rule
        WHEN 's' THEN score.shown(held_total, total) <> held_score
        WHEN 'l' THEN at > held_at
        WHEN 'd' THEN score > held_score OR (score = held_score AND at < held_at)
        ELSE score < held_score OR (score = held_score AND at < held_at)
    END
$$;

-- One row a flush, gone with the next one (docs/adr/0006): small, so kept inline, and vacuumed by count.
CREATE TABLE score.pending_applies (
    flush_id   uuid        PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    boards     text[]      NOT NULL,
    users      uuid[]      NOT NULL
) WITH (
    toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_threshold = -1
);
ALTER TABLE score.pending_applies ALTER COLUMN boards SET STORAGE EXTERNAL, ALTER COLUMN users SET STORAGE EXTERNAL;
COMMENT ON TABLE score.pending_applies IS 'standings of these boards and players may be missing in Redis';
GRANT SELECT, INSERT, DELETE ON score.pending_applies TO palio_score;

-- As everywhere, but a single submission's answer holds ranks, which exist only after the commit (docs/adr/0004):
-- until its bytes are added the body is empty, and submission_id tells what to answer from.
CREATE TABLE score.idempotency_keys (
    caller        text        NOT NULL,
    route         text        NOT NULL,
    key           text        NOT NULL,
    fingerprint   bytea       NOT NULL,
    status        smallint    NOT NULL,
    body          bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    submission_id uuid,
    PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_by_age ON score.idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON score.idempotency_keys TO palio_score;

-- Published view: docs/architecture.md, section 2.
CREATE VIEW score.standings_v1 AS
SELECT board, user_id, score, reached_at, version, submissions FROM score.standings;
GRANT SELECT ON score.standings_v1 TO palio_score, palio_leaderboard, palio_tournament, palio_user;
