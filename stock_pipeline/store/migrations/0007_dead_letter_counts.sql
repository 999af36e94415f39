-- The analytics page counts dead letters by reason. With what it counts in an index, it need not read the letters, whose bytes may
-- be half a megabyte each.
CREATE INDEX dead_letters_counted ON dead_letters (reason, stage) INCLUDE (created_at, copied_at, replayed_at);
