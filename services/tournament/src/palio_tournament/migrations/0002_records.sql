-- What an operator needs of a tournament: the resource it is written from, its revision, suspension, withdrawal.
-- Rules of a tournament that has a resource may change until it starts; how it is scored never does (boards are cached).
ALTER TABLE tournament.tournaments
    ADD COLUMN revision   bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
    ADD COLUMN owner      uuid,
    ADD COLUMN source     text CHECK (length(source) <= 320),
    ADD COLUMN deleted_at timestamptz,
    ADD CONSTRAINT resources_are_named CHECK ((owner IS NULL) = (source IS NULL)),
    DROP CONSTRAINT tournaments_state_check,
    ADD CONSTRAINT tournaments_state_check CHECK (
        state IN ('open', 'suspended', 'withdrawn', 'completed', 'cancelled', 'failed')
    );
COMMENT ON COLUMN tournament.tournaments.revision IS 'the generation of the resource these rules were written from';
COMMENT ON COLUMN tournament.tournaments.owner IS 'uid of the resource that rules this row; null if it was made by REST';
COMMENT ON COLUMN tournament.tournaments.source IS 'namespace/name of that resource: what a later one must be called to adopt the row';
COMMENT ON COLUMN tournament.tournaments.deleted_at IS 'told in no list any more; the ledger keeps what was paid';
COMMENT ON COLUMN tournament.tournaments.state IS
    'suspended: closed for now; withdrawn: its resource was deleted, a new one may adopt it and open it again';

CREATE OR REPLACE FUNCTION tournament.phase(state text, starts_at timestamptz, ends_at timestamptz, at timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE state
        WHEN 'completed' THEN 'Completed'
        WHEN 'cancelled' THEN 'Cancelled'
        WHEN 'withdrawn' THEN 'Cancelled'
        WHEN 'failed' THEN 'Failed'
        ELSE CASE WHEN at < starts_at THEN 'Scheduled' WHEN at < ends_at THEN 'Active' ELSE 'Settling' END
    END
$$;

GRANT UPDATE (
    name, game_id, keep, score_order, ties, starts_at, ends_at, settles_at, entry, max_participants, prize_pool, currency,
    revision, owner, source, deleted_at
) ON tournament.tournaments TO palio_tournament;
GRANT DELETE ON tournament.tournaments TO palio_tournament;
GRANT UPDATE (rank_first, rank_last, amount), DELETE ON tournament.prizes TO palio_tournament;

-- The service may change or remove only what a resource rules; a tournament made over REST stays as it was made.
CREATE FUNCTION tournament.refuse_without_resource() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no resource rules tournament %, so its rules stay', OLD.id USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER rules_stay BEFORE UPDATE OF
    name, game_id, keep, score_order, ties, starts_at, ends_at, settles_at, entry, max_participants, prize_pool, currency
ON tournament.tournaments
    FOR EACH ROW WHEN (current_user = 'palio_tournament' AND NEW.owner IS NULL)
    EXECUTE FUNCTION tournament.refuse_without_resource();
CREATE TRIGGER rows_stay BEFORE DELETE ON tournament.tournaments
    FOR EACH ROW WHEN (current_user = 'palio_tournament' AND OLD.owner IS NULL)
    EXECUTE FUNCTION tournament.refuse_without_resource();

CREATE FUNCTION tournament.refuse_prize_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM tournament.tournaments WHERE id = OLD.tournament_id AND owner IS NULL) THEN
        RAISE EXCEPTION 'no resource rules tournament %, so its prizes stay', OLD.tournament_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER prizes_stay BEFORE UPDATE OR DELETE ON tournament.prizes
    FOR EACH ROW WHEN (current_user = 'palio_tournament') EXECUTE FUNCTION tournament.refuse_prize_change();
