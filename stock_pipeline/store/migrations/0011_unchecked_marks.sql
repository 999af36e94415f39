-- A log that lost its tail may grow beyond what was read before anybody looks. Then the job reads on, the last record
-- agrees, and what lies between is never read. So the last record of each transaction stays until somebody has seen
-- that the partition still has the leader epoch of the look before: a broker that comes back has another one.
ALTER TABLE stream_ledger
    ADD COLUMN log_epoch  integer,                       -- of the partition's leader, at the last look
    ADD COLUMN unchecked  bytea NOT NULL DEFAULT '';     -- marks since then: offset (8 bytes), digest (16 bytes)
