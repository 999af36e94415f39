-- Ticks, what is derived from them, and the offsets they stand for. Each file runs once, in one transaction.

-- One row a tick. Daily range partitions on event_time are made ahead and on demand and dropped by retention,
-- so the primary key must hold event_time; it is led by the symbol because every reader asks for a symbol first.
CREATE TABLE stock_prices (
    symbol          text           NOT NULL,
    event_time      timestamptz    NOT NULL,
    event_id        uuid           NOT NULL,   -- from the feed's own facts: the same tick always has the same id
    sequence        bigint         NOT NULL,   -- position as delivered; breaks ties within a millisecond
    source          text           NOT NULL CHECK (source IN ('rest', 'websocket')),
    feed            text           NOT NULL CHECK (feed IN ('finnhub', 'simulated', 'replay')),
    price           numeric(18,6)  NOT NULL CHECK (price > 0 AND price < 'NaN'),  -- NaN ranks above every number
    volume          numeric(18,6)  CHECK (volume >= 0 AND volume < 'NaN'),
    open            numeric(18,6)  CHECK (open > 0 AND open < 'NaN'),
    high            numeric(18,6)  CHECK (high > 0 AND high < 'NaN'),
    low             numeric(18,6)  CHECK (low > 0 AND low < 'NaN'),
    previous_close  numeric(18,6)  CHECK (previous_close > 0 AND previous_close < 'NaN'),
    change          numeric(18,6)  CHECK (change < 'NaN'),
    percent_change  numeric(18,6)  CHECK (percent_change < 'NaN'),
    conditions      text,                      -- condition codes with commas between; NULL: none
    received_at     timestamptz    NOT NULL,   -- the producer had it
    stored_at       timestamptz    NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (symbol, event_time, event_id)
) PARTITION BY RANGE (event_time);

-- One-minute bars, mergeable: open and close carry the key that they were chosen by. Trades and polled quotes are
-- two bases and never share a bar. Prices are NULL where every tick of the minute is one that may not set a price.
CREATE TABLE bars_1m (
    symbol       text           NOT NULL,
    minute       timestamptz    NOT NULL,      -- start of the minute, UTC
    basis        text           NOT NULL CHECK (basis IN ('trades', 'quotes')),
    open         numeric(18,6),
    high         numeric(18,6),
    low          numeric(18,6),
    close        numeric(18,6),
    open_time    timestamptz,  open_sequence   bigint,
    close_time   timestamptz,  close_sequence  bigint,
    volume       numeric(24,6)  NOT NULL,      -- shares; 0 for quotes
    count        bigint         NOT NULL CHECK (count > 0),  -- ticks
    sum_price    numeric(30,6)  NOT NULL,
    sum_price2   numeric(38,12) NOT NULL,      -- for the standard deviation without reading ticks
    sum_pv       numeric(38,12) NOT NULL,      -- price x volume, for VWAP
    revision     integer        NOT NULL DEFAULT 0,  -- raised when a late tick amends the bar
    updated_at   timestamptz    NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (symbol, basis, minute)
);

-- Averages over the event-time window [minute + 1 min - length, minute + 1 min); one row a traded minute and length.
CREATE TABLE moving_averages (
    symbol   text           NOT NULL,
    minute   timestamptz    NOT NULL,
    basis    text           NOT NULL,
    length   smallint       NOT NULL CHECK (length IN (5, 15, 30)),  -- minutes
    mean     numeric(18,6)  NOT NULL,          -- mean of tick prices
    vwap     numeric(18,6),                    -- NULL where there is no volume
    count    bigint         NOT NULL,          -- ticks in the window
    PRIMARY KEY (symbol, basis, length, minute)
);

-- One row a symbol: what the pages read. The day's values come from quotes, the last price from either basis.
CREATE TABLE latest (
    symbol          text           PRIMARY KEY,
    price           numeric(18,6)  NOT NULL,
    event_time      timestamptz    NOT NULL,
    sequence        bigint         NOT NULL,
    source          text           NOT NULL,
    volume          numeric(18,6),
    open            numeric(18,6),
    high            numeric(18,6),
    low             numeric(18,6),
    previous_close  numeric(18,6),
    change          numeric(18,6),
    percent_change  numeric(18,6),
    quote_time      timestamptz,               -- when the day's values were true; NULL: no quote yet
    received_at     timestamptz    NOT NULL,
    updated_at      timestamptz    NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE dead_letters (
    id            bigint       GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic         text         NOT NULL,
    topic_id      text         NOT NULL,
    partition     integer      NOT NULL,
    "offset"      bigint       NOT NULL,
    reason        text         NOT NULL,
    stage         text         NOT NULL,
    detail        text,
    key           bytea,
    value         bytea,                       -- the original bytes, cut at 512 KB
    value_length  bigint,
    value_sha256  text,
    created_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic_id, partition, "offset")
);

-- The next offset to read, advanced in the same transaction as the rows it stands for. Keyed by the topic's id, so that
-- a topic deleted and made again starts from its own zero.
CREATE TABLE stream_ledger (
    cluster_id   text         NOT NULL,
    topic_id     text         NOT NULL,
    topic        text         NOT NULL,
    partition    integer      NOT NULL,
    next_offset  bigint       NOT NULL CHECK (next_offset >= 0),
    stored       bigint       NOT NULL DEFAULT 0,  -- offsets that became a tick
    duplicate    bigint       NOT NULL DEFAULT 0,  -- offsets whose tick was already stored
    dead_letter  bigint       NOT NULL DEFAULT 0,
    updated_at   timestamptz  NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (cluster_id, topic_id, partition)
);

-- Who may write: the job that took the highest epoch. Checked in each transaction.
CREATE TABLE stream_owner (
    singleton   boolean      PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch       bigint       NOT NULL,
    owner       text         NOT NULL,             -- host, process id, start
    taken_at    timestamptz  NOT NULL DEFAULT clock_timestamp(),
    beat_at     timestamptz  NOT NULL DEFAULT clock_timestamp()
);

-- How long the last micro-batches took: what the health strip shows. Pruned by the job.
CREATE TABLE batches (
    batch_id     bigint       NOT NULL,
    partition    integer      NOT NULL,
    rows         bigint       NOT NULL,
    duration_ms  double precision NOT NULL,
    latency_p50_ms double precision,               -- produced to committed
    latency_p99_ms double precision,
    finished_at  timestamptz  NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX batches_recent ON batches (finished_at DESC);

-- Ticks before this moment have been dropped by retention; their bars are sealed and a later tick for them is too old.
CREATE TABLE retention (
    singleton      boolean      PRIMARY KEY DEFAULT true CHECK (singleton),
    sealed_before  timestamptz  NOT NULL
);
INSERT INTO retention (sealed_before) VALUES ('-infinity');

-- For scans over all symbols in a span of time; a few kilobytes a day.
CREATE INDEX stock_prices_event_time ON stock_prices USING brin (event_time);

-- The sums of one window, so that a query can hand them on as one value.
CREATE TYPE window_sums AS (price numeric, pv numeric, volume numeric, ticks bigint);
