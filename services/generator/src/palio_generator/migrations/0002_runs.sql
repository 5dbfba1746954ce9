-- Runs of load: what was wanted, how far it is, what came out. The database's clock is the only one that decides.

-- `id` is a LoadTest's uid, or made here for a run of this process (`place` local). `plan` is the plan of the whole run
-- as JSON. `start_at` is when load begins, set when the barrier opens. `told_second` is the last second that was
-- told live. `so_far` is what the measured seconds add up to. `report` is the merged, judged report (JSON), written once
-- with `outcome`.
CREATE TABLE generator.runs (
    id                 uuid        PRIMARY KEY,
    place              text        NOT NULL CHECK (place IN ('local', 'cluster')),
    namespace          text        NOT NULL,
    name               text        NOT NULL,
    plan               bytea       NOT NULL,
    runners            integer     NOT NULL CHECK (runners BETWEEN 1 AND 50),
    duration_s         double precision NOT NULL,
    startup_deadline_s integer     NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    start_at           timestamptz,
    stop_asked_at      timestamptz,
    told_second        integer     NOT NULL DEFAULT -1,
    so_far             bytea,
    outcome            text        CHECK (outcome IN ('finished', 'stopped', 'lost')),
    finished_at        timestamptz,
    verdict            text,
    report             bytea,
    CHECK ((outcome IS NULL) = (finished_at IS NULL) AND (outcome IS NULL) = (report IS NULL))
);
CREATE INDEX runs_newest ON generator.runs (created_at DESC, id DESC);
-- One run of this process at a time.
CREATE UNIQUE INDEX runs_local ON generator.runs (place) WHERE place = 'local' AND outcome IS NULL;

-- One row a runner that was heard of.
CREATE TABLE generator.runners (
    run_id      uuid        NOT NULL REFERENCES generator.runs ON DELETE CASCADE,
    runner      integer     NOT NULL,
    ready_at    timestamptz,
    failed_at   timestamptz,
    failure     text,
    reported_at timestamptz,
    report      bytea,
    PRIMARY KEY (run_id, runner)
);

-- One row a second: the runners' rows added up (JSON), and whose are in it, so that a repeated row counts once.
CREATE TABLE generator.seconds (
    run_id  uuid      NOT NULL REFERENCES generator.runs ON DELETE CASCADE,
    second  integer   NOT NULL,
    runners integer[] NOT NULL,
    row     bytea     NOT NULL,
    PRIMARY KEY (run_id, second)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON generator.runs TO palio_generator;
GRANT SELECT, INSERT, UPDATE, DELETE ON generator.runners TO palio_generator;
GRANT SELECT, INSERT, UPDATE, DELETE ON generator.seconds TO palio_generator;
