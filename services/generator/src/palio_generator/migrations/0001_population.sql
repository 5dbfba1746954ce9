-- What the generator made: so that a second populate finds everything there, and a killed one goes on where it was.
CREATE SCHEMA generator;

-- One row a population (named by its seed). The games are those of the catalogue when it began: a game added later
-- changes nothing about what was planned.
CREATE TABLE generator.populations (
    population text        PRIMARY KEY,
    games      text[]      NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- The demo users by slot: the slot decides skill and past, the id is what the user service gave them.
CREATE TABLE generator.players (
    population text    NOT NULL,
    slot       integer NOT NULL,
    username   text    NOT NULL,
    user_id    uuid    NOT NULL,
    PRIMARY KEY (population, slot),
    UNIQUE (population, user_id)
);

-- One row a piece of work (a batch of a history, a tournament, its entrants, its games): planned once, so that its
-- bodies are the same on every try, and done once.
CREATE TABLE generator.pieces (
    population text        NOT NULL,
    piece      text        NOT NULL,
    planned_at timestamptz NOT NULL DEFAULT now(),
    done_at    timestamptz,
    made_id    uuid,
    PRIMARY KEY (population, piece)
);

GRANT USAGE ON SCHEMA generator TO palio_generator;
GRANT SELECT, INSERT, UPDATE (population) ON generator.populations TO palio_generator;
GRANT SELECT, INSERT ON generator.players TO palio_generator;
GRANT SELECT, INSERT, UPDATE ON generator.pieces TO palio_generator;
