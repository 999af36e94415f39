-- What a chart draws of an hour of a symbol, as one value: the lines that `store.series` makes of its bars, and of its averages of each
-- length. A day of five symbols is eighty such values in place of 4,800 rows, of which each lies on another page, because rows are
-- written a minute of all symbols at a time. The rows are what counts: lines are written once an hour is over (NULL: not yet), are gone
-- with the statement that changes one of their rows, and are then written anew.
ALTER TABLE hour_sums
    ADD COLUMN bar_lines         text,
    ADD COLUMN average_lines_5   text,
    ADD COLUMN average_lines_15  text,
    ADD COLUMN average_lines_30  text,
    ADD CONSTRAINT all_lines_or_none CHECK (num_nulls(bar_lines, average_lines_5, average_lines_15, average_lines_30) IN (0, 4));
ALTER TABLE hour_sums SET (toast_tuple_target = 256);     -- lines lie elsewhere, so that sums stay close together

-- The hours that are to be written. An hour at hand stays in it, so its many updates leave the index alone.
CREATE INDEX hour_sums_to_write ON hour_sums (hour) WHERE bar_lines IS NULL;

-- Whoever changes a bar changes the sums of its hour (`sum_amended_bars`, `sum_new_bars`), if only to the same figures.
CREATE FUNCTION forget_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.bar_lines := NULL; NEW.average_lines_5 := NULL; NEW.average_lines_15 := NULL; NEW.average_lines_30 := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER changed_hour_unwritten BEFORE UPDATE OF bars, high, low, volume, count, sum_price, sum_price2, sum_pv ON hour_sums
    FOR EACH ROW WHEN (OLD.bar_lines IS NOT NULL) EXECUTE FUNCTION forget_lines();

-- Averages reach thirty minutes back, so a late tick changes some of the next hour too. `bars = bars` changes nothing but sets off the
-- trigger above, which alone knows what there is to forget.
CREATE FUNCTION forget_lines_of_averages() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN UPDATE hour_sums SET bars = bars WHERE bar_lines IS NOT NULL; RETURN NULL; END IF;
    UPDATE hour_sums h SET bars = h.bars FROM (SELECT DISTINCT symbol, basis, hour_of(minute) AS hour FROM changed) c
        WHERE h.symbol = c.symbol AND h.basis = c.basis AND h.hour = c.hour AND h.bar_lines IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER new_averages AFTER INSERT ON moving_averages REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION forget_lines_of_averages();
CREATE TRIGGER amended_averages AFTER UPDATE ON moving_averages REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION forget_lines_of_averages();
CREATE TRIGGER gone_averages AFTER DELETE ON moving_averages REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION forget_lines_of_averages();
CREATE TRIGGER all_averages_gone AFTER TRUNCATE ON moving_averages FOR EACH STATEMENT EXECUTE FUNCTION forget_lines_of_averages();
