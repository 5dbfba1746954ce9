-- Tournaments, who plays in them, how they ended, and the ledger of what they paid.
-- Settings never change once written and the ledger is append-only: by grant, not by promise.
CREATE SCHEMA tournament;
GRANT USAGE ON SCHEMA tournament TO palio_tournament, palio_score, palio_leaderboard, palio_user;

-- The phase follows from the state and a clock, so no process has to be alive for a window to open or close.
CREATE FUNCTION tournament.phase(state text, starts_at timestamptz, ends_at timestamptz, at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE state
        WHEN 'completed' THEN 'Completed'
        WHEN 'cancelled' THEN 'Cancelled'
        WHEN 'failed' THEN 'Failed'
        ELSE CASE WHEN at < starts_at THEN 'Scheduled' WHEN at < ends_at THEN 'Active' ELSE 'Settling' END
    END
$$;

CREATE TABLE tournament.tournaments (
    id               uuid        PRIMARY KEY,
    name             text        NOT NULL,
    game_id          text        NOT NULL,
    format           text        NOT NULL CHECK (format = 'ScoreRace'),
    keep             text        NOT NULL CHECK (keep IN ('best', 'sum', 'last')),
    score_order      text        NOT NULL CHECK (score_order IN ('desc', 'asc')),
    ties             text        NOT NULL CHECK (ties IN ('EarliestAchieved', 'Shared')),
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL,
    settles_at       timestamptz NOT NULL,
    entry            text        NOT NULL CHECK (entry IN ('UntilEnd', 'UntilStart')),
    max_participants integer     NOT NULL CHECK (max_participants BETWEEN 2 AND 1000000),
    prize_pool       bigint      NOT NULL CHECK (prize_pool BETWEEN 0 AND 9007199254740991),
    currency         text        NOT NULL,
    created_by       uuid        NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What may change:
    participants     integer     NOT NULL DEFAULT 0,
    state            text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'completed', 'cancelled', 'failed')),
    announced_phase  text        NOT NULL DEFAULT 'Scheduled',
    settle_attempts  integer     NOT NULL DEFAULT 0,
    retry_at         timestamptz,
    failure          text,
    standings_digest text,
    settled_at       timestamptz,
    CONSTRAINT window_is_forward CHECK (starts_at < ends_at AND ends_at <= settles_at),
    CONSTRAINT places_are_not_oversold CHECK (participants BETWEEN 0 AND max_participants),
    CONSTRAINT settled_means_digested CHECK (
        (state = 'completed') = (settled_at IS NOT NULL) AND (settled_at IS NULL) = (standings_digest IS NULL)
    )
);
COMMENT ON COLUMN tournament.tournaments.settles_at IS 'the end and the settlement delay';
COMMENT ON COLUMN tournament.tournaments.announced_phase IS 'the last phase that was told to the live feed';
CREATE INDEX tournaments_newest ON tournament.tournaments (created_at, id);
CREATE INDEX tournaments_newest_of_game ON tournament.tournaments (game_id, created_at, id);
CREATE INDEX tournaments_open_by_game ON tournament.tournaments (game_id) WHERE state = 'open';
CREATE INDEX tournaments_to_settle ON tournament.tournaments (settles_at) WHERE state = 'open';
CREATE INDEX tournaments_to_announce ON tournament.tournaments (id)
    WHERE announced_phase NOT IN ('Completed', 'Cancelled', 'Failed');
GRANT SELECT, INSERT ON tournament.tournaments TO palio_tournament;
GRANT UPDATE (
    participants, state, announced_phase, settle_attempts, retry_at, failure, standings_digest, settled_at
) ON tournament.tournaments TO palio_tournament;

-- Completed and cancelled are for ever.
CREATE FUNCTION tournament.refuse_resurrection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tournament % is % and stays so', OLD.id, OLD.state USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER ended_stays_ended BEFORE UPDATE OF state ON tournament.tournaments
    FOR EACH ROW WHEN (OLD.state IN ('completed', 'cancelled') AND NEW.state <> OLD.state)
    EXECUTE FUNCTION tournament.refuse_resurrection();

CREATE TABLE tournament.prizes (
    tournament_id uuid    NOT NULL REFERENCES tournament.tournaments,
    key           text    NOT NULL,
    rank_first    integer NOT NULL CHECK (rank_first >= 1),
    rank_last     integer NOT NULL,
    amount        bigint  NOT NULL CHECK (amount >= 1),
    PRIMARY KEY (tournament_id, key),
    UNIQUE (tournament_id, rank_first),
    CONSTRAINT range_is_forward CHECK (rank_first <= rank_last)
);
COMMENT ON COLUMN tournament.prizes.amount IS 'for each rank of the range';
GRANT SELECT, INSERT ON tournament.prizes TO palio_tournament;

CREATE TABLE tournament.entries (
    tournament_id uuid        NOT NULL REFERENCES tournament.tournaments,
    user_id       uuid        NOT NULL,
    joined_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tournament_id, user_id)
);
CREATE INDEX entries_by_user ON tournament.entries (user_id);
GRANT SELECT, INSERT, DELETE ON tournament.entries TO palio_tournament;

-- No foreign key: rows are written by the transaction that holds their tournament's lock, a million at a time at most.
CREATE TABLE tournament.final_standings (
    tournament_id uuid        NOT NULL,
    position      integer     NOT NULL CHECK (position >= 1),
    rank          integer     NOT NULL CHECK (rank BETWEEN 1 AND position),
    user_id       uuid        NOT NULL,
    score         bigint      NOT NULL,
    reached_at    timestamptz NOT NULL,
    PRIMARY KEY (tournament_id, position),
    UNIQUE (tournament_id, user_id)
);
GRANT SELECT, INSERT ON tournament.final_standings TO palio_tournament;

-- Money moves by transfers of two or more ledger entries that sum to zero in each currency.
CREATE TABLE tournament.transfers (
    id            uuid        PRIMARY KEY,
    tournament_id uuid        NOT NULL REFERENCES tournament.tournaments,
    kind          text        NOT NULL CHECK (kind IN ('funding', 'award', 'reversal')),
    prize_key     text,
    user_id       uuid,
    reverses      uuid        UNIQUE REFERENCES tournament.transfers,
    made_by       text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tournament_id, prize_key) REFERENCES tournament.prizes,
    CONSTRAINT funding_names_no_player CHECK ((kind = 'funding') = (prize_key IS NULL AND user_id IS NULL)),
    CONSTRAINT others_name_prize_and_player CHECK ((kind <> 'funding') = (prize_key IS NOT NULL AND user_id IS NOT NULL)),
    CONSTRAINT reversals_name_what_they_reverse CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
);
COMMENT ON COLUMN tournament.transfers.made_by IS '`settlement`, or the administrator''s user id';
CREATE UNIQUE INDEX transfers_award_once ON tournament.transfers (tournament_id, prize_key, user_id) WHERE kind = 'award';
CREATE UNIQUE INDEX transfers_fund_once ON tournament.transfers (tournament_id) WHERE kind = 'funding';
CREATE INDEX transfers_by_player ON tournament.transfers (user_id, id);
GRANT SELECT, INSERT ON tournament.transfers TO palio_tournament;

CREATE TABLE tournament.ledger_entries (
    transfer_id uuid   NOT NULL REFERENCES tournament.transfers,
    account     text   NOT NULL CHECK (account ~ '^(house|(pool|player):[0-9a-f-]{36})$'),
    currency    text   NOT NULL,
    amount      bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (transfer_id, account, currency)
);
CREATE INDEX ledger_entries_by_account ON tournament.ledger_entries (account, transfer_id);
GRANT SELECT, INSERT ON tournament.ledger_entries TO palio_tournament;

CREATE FUNCTION tournament.check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unbalanced text;
BEGIN
    SELECT currency INTO unbalanced FROM tournament.ledger_entries
    WHERE transfer_id = NEW.transfer_id GROUP BY currency HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % is not balanced in %', NEW.transfer_id, unbalanced USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER transfers_are_balanced AFTER INSERT ON tournament.ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tournament.check_balanced();

CREATE FUNCTION tournament.check_moves_money() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM tournament.ledger_entries WHERE transfer_id = NEW.id) THEN
        RAISE EXCEPTION 'transfer % moves nothing', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER transfers_move_money AFTER INSERT ON tournament.transfers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tournament.check_moves_money();

CREATE TABLE tournament.idempotency_keys (
    caller      text        NOT NULL,
    route       text        NOT NULL,
    key         text        NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    body        bytea       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, route, key)
);
CREATE INDEX idempotency_keys_by_age ON tournament.idempotency_keys (created_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON tournament.idempotency_keys TO palio_tournament;

-- Published views: docs/architecture.md, section 2.
CREATE VIEW tournament.open_windows_v1 AS
SELECT id AS tournament_id, game_id, starts_at, ends_at, keep, score_order, ties
FROM tournament.tournaments WHERE state = 'open';
GRANT SELECT ON tournament.open_windows_v1 TO palio_tournament, palio_score;

CREATE VIEW tournament.boards_v1 AS
SELECT id AS tournament_id, game_id, keep, score_order, ties FROM tournament.tournaments;
GRANT SELECT ON tournament.boards_v1 TO palio_tournament, palio_score, palio_leaderboard;

CREATE VIEW tournament.entries_v1 AS
SELECT tournament_id, user_id, joined_at FROM tournament.entries;
GRANT SELECT ON tournament.entries_v1 TO palio_tournament, palio_score, palio_user;

CREATE VIEW tournament.prizes_v1 AS
SELECT award.user_id, award.tournament_id, standing.rank, entry.amount, entry.currency
FROM tournament.transfers AS award
JOIN tournament.ledger_entries AS entry ON entry.transfer_id = award.id AND entry.account = 'player:' || award.user_id
JOIN tournament.final_standings AS standing
    ON standing.tournament_id = award.tournament_id AND standing.user_id = award.user_id
WHERE award.kind = 'award'
    AND NOT EXISTS (SELECT FROM tournament.transfers AS reversal WHERE reversal.reverses = award.id);
GRANT SELECT ON tournament.prizes_v1 TO palio_tournament, palio_user;
