-- What each minute of each symbol was: traded, quiet, feed down, market closed or not carried. And what that is decided from.

-- Which symbols the feed carried and which it refused. Hardly ever another set, so each is kept once and minutes point at it.
CREATE TABLE feed_symbols (
    id       integer  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256   text     NOT NULL UNIQUE,          -- of both lists
    carried  text[]   NOT NULL,
    refused  text[]   NOT NULL,
    CHECK (NOT carried && refused)
);

-- What the producer said of each minute; a minute without a row is one of which nothing was said.
CREATE TABLE feed_minutes (
    minute     timestamptz  PRIMARY KEY CHECK (extract(epoch FROM minute) % 60 = 0),
    up         boolean      NOT NULL,           -- the feed was heard through the whole of it
    symbols    integer      NOT NULL REFERENCES feed_symbols,
    stored_at  timestamptz  NOT NULL DEFAULT clock_timestamp()
);

-- The next offset of the topic of feed minutes, advanced in the same transaction as the rows it stands for.
CREATE TABLE feed_ledger (
    cluster_id   text         NOT NULL,
    topic_id     text         NOT NULL,         -- a topic made again starts from its own zero
    topic        text         NOT NULL,
    next_offset  bigint       NOT NULL CHECK (next_offset >= 0),
    kept         bigint       NOT NULL DEFAULT 0,  -- offsets that became a minute
    refused      bigint       NOT NULL DEFAULT 0,  -- offsets that held no such record
    updated_at   timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (cluster_id, topic_id),
    CHECK (kept + refused <= next_offset)
);

-- One letter a minute, one row a symbol and hour, so that a minute can be only one thing. The hour at hand is shorter than
-- sixty: what is not decided is not there. Led by the hour, because a page asks for a day of all symbols.
CREATE TABLE coverage (
    hour        timestamptz  NOT NULL CHECK (extract(epoch FROM hour) % 3600 = 0),
    symbol      text         NOT NULL,
    states      text         NOT NULL CHECK (states ~ '^[TQDCN]{1,60}$'),
    updated_at  timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (hour, symbol)
);

-- How far the wall clock's minutes are decided.
CREATE TABLE coverage_progress (
    singleton      boolean      PRIMARY KEY DEFAULT true CHECK (singleton),
    decided_until  timestamptz  NOT NULL CHECK (extract(epoch FROM decided_until) % 60 = 0)
);

-- Bars that came or went since coverage was last refreshed: a late tick makes a minute traded. Filled in the transaction that
-- changed the bar, so it needs no clock and misses nothing; without a key, so that two writers never wait for each other.
CREATE TABLE coverage_queue (
    symbol  text         NOT NULL,
    minute  timestamptz  NOT NULL
);

CREATE FUNCTION queue_coverage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO coverage_queue (symbol, minute) SELECT symbol, minute FROM changed;
    RETURN NULL;
END $$;

CREATE TRIGGER bars_came AFTER INSERT ON bars_1m REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION queue_coverage();
CREATE TRIGGER bars_went AFTER DELETE ON bars_1m REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION queue_coverage();

-- For people and reports: one row a minute. Ask with a span of hours, which finds the rows; `minute` alone reads the table.
CREATE VIEW coverage_minutes AS
SELECT c.symbol, c.hour, c.hour + (i - 1) * interval '1 minute' AS minute,
    CASE substr(c.states, i, 1) WHEN 'T' THEN 'traded' WHEN 'Q' THEN 'quiet' WHEN 'D' THEN 'feed down'
        WHEN 'C' THEN 'market closed' WHEN 'N' THEN 'not carried' END AS state
FROM coverage c CROSS JOIN LATERAL generate_series(1, length(c.states)) AS i;
