-- Offsets alone cannot tell whether the log is still the one that was read. With each row of the ledger stands what
-- can: the last record that was stored, as a digest, and what the log looked like when the job saw it last.
ALTER TABLE stream_ledger
    ADD COLUMN first_offset  bigint NOT NULL DEFAULT 0,  -- where reading began
    ADD COLUMN empty         bigint NOT NULL DEFAULT 0,  -- offsets without a record: marks of transactions, compaction
    ADD COLUMN gone          bigint NOT NULL DEFAULT 0,  -- offsets passed over because the log had deleted them
    ADD COLUMN again         bigint NOT NULL DEFAULT 0,  -- offsets read once more after the ledger was set back
    ADD COLUMN last_offset   bigint,                     -- of the last record that was stored
    ADD COLUMN last_digest   bytea,                      -- of its key, value and timestamp
    ADD COLUMN log_begin     bigint,
    ADD COLUMN log_end       bigint,
    ADD COLUMN log_seen_at   timestamptz;
UPDATE stream_ledger SET first_offset = greatest(0, next_offset - stored - duplicate - dead_letter);
ALTER TABLE stream_ledger                                -- records: each is stored, a duplicate or a dead letter
    ADD COLUMN read bigint GENERATED ALWAYS AS (next_offset - first_offset + again - empty - gone) STORED;

-- Earlier records that were stored: close together where they are new, far apart where they are old. They tell how far
-- back a log that has changed is still the one that was read.
CREATE TABLE stream_marks (
    cluster_id     text    NOT NULL,
    topic_id       text    NOT NULL,
    partition      integer NOT NULL,
    record_offset  bigint  NOT NULL,
    digest         bytea   NOT NULL,
    PRIMARY KEY (cluster_id, topic_id, partition, record_offset)
);

-- Each move of the ledger that is not reading on.
CREATE TABLE ledger_moves (
    id           bigint       PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    moved_at     timestamptz  NOT NULL DEFAULT clock_timestamp(),
    topic        text         NOT NULL,
    topic_id     text         NOT NULL,
    partition    integer      NOT NULL,
    kind         text         NOT NULL CHECK (kind IN ('cut', 'changed', 'gone', 'remade')),
    from_offset  bigint       NOT NULL,
    to_offset    bigint       NOT NULL,
    offsets      bigint       NOT NULL                   -- to be read again, or lost unread
);

-- A log that lost its tail gives the same offset to another record. The dead letter of that one must find a place
-- beside the dead letter of the first.
ALTER TABLE dead_letters
    DROP CONSTRAINT dead_letters_topic_id_partition_offset_key,
    ADD CONSTRAINT dead_letters_place_and_value UNIQUE NULLS NOT DISTINCT (topic_id, partition, "offset", value_sha256);
