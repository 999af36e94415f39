-- A dead letter is copied to a topic of its own, at least once: this table says which copies are still to be made. And it
-- can be sent to the main topic again, once the reason is mended.
ALTER TABLE dead_letters
    ADD COLUMN received_at       timestamptz,  -- the producer had what it refused; else the time of the record on the topic
    ADD COLUMN copied_at         timestamptz,  -- the copy was acknowledged; NULL: still to be sent
    ADD COLUMN replayed_at       timestamptz,  -- sent to the main topic again, the last time
    ADD COLUMN replay_partition  integer,      -- where it came to lie there
    ADD COLUMN replay_offset     bigint;

CREATE INDEX dead_letters_to_copy ON dead_letters (id) WHERE copied_at IS NULL;
CREATE INDEX dead_letters_by_reason ON dead_letters (reason, id);

-- NaN ranks above every number in PostgreSQL, so no comparison with a number keeps it out; Infinity is kept out by the
-- precision. Ticks have had such checks from the beginning.
ALTER TABLE bars_1m ADD CONSTRAINT bars_1m_numbers CHECK (
    open > 0 AND open < 'NaN' AND high > 0 AND high < 'NaN' AND low > 0 AND low < 'NaN' AND close > 0 AND close < 'NaN'
    AND volume >= 0 AND volume < 'NaN' AND sum_price > 0 AND sum_price < 'NaN' AND sum_price2 > 0 AND sum_price2 < 'NaN'
    AND sum_pv >= 0 AND sum_pv < 'NaN');
ALTER TABLE bars_1m ADD CONSTRAINT bars_1m_range CHECK (low <= open AND low <= close AND open <= high AND close <= high);
ALTER TABLE moving_averages ADD CONSTRAINT moving_averages_numbers CHECK (
    mean > 0 AND mean < 'NaN' AND vwap > 0 AND vwap < 'NaN' AND count > 0);
ALTER TABLE latest ADD CONSTRAINT latest_numbers CHECK (
    price > 0 AND price < 'NaN' AND volume >= 0 AND volume < 'NaN' AND open > 0 AND open < 'NaN' AND high > 0 AND high < 'NaN'
    AND low > 0 AND low < 'NaN' AND previous_close > 0 AND previous_close < 'NaN' AND change < 'NaN' AND percent_change < 'NaN');
