-- Sums over bars: an hour of a symbol for statistics over days, and all there is of a symbol for the page that says how much is
-- stored. Both would have to read bars by the ten thousand, every few seconds. The statement that changes bars changes these rows
-- too, so they are as true as the bars are. Who writes bars of a symbol holds the symbol's lock until the commit (`lock_symbols`),
-- so nobody waits for one of these rows.
CREATE TABLE hour_sums (
    symbol      text         NOT NULL,
    basis       text         NOT NULL,
    hour        timestamptz  NOT NULL,         -- its start, UTC
    bars        integer      NOT NULL CHECK (bars BETWEEN 1 AND 60),
    high        numeric(18,6),
    low         numeric(18,6),
    volume      numeric      NOT NULL,
    count       bigint       NOT NULL,         -- ticks
    sum_price   numeric      NOT NULL,
    sum_price2  numeric      NOT NULL,
    sum_pv      numeric      NOT NULL,
    PRIMARY KEY (symbol, basis, hour)
) WITH (fillfactor = 80);                      -- rows of the hour at hand change with each micro-batch: a new version finds room on its page

CREATE TABLE symbol_sums (
    symbol  text         NOT NULL,
    basis   text         NOT NULL,
    ticks   bigint       NOT NULL,
    bars    bigint       NOT NULL,
    first   timestamptz  NOT NULL,             -- first minute
    last    timestamptz  NOT NULL,
    PRIMARY KEY (symbol, basis)
) WITH (fillfactor = 50);

CREATE FUNCTION hour_of(minute timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT date_bin('1 hour', minute, '2000-01-01 00:00+00') $$; -- in UTC, whatever the session's zone

CREATE FUNCTION sum_new_bars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM changed) THEN RETURN NULL; END IF;
    INSERT INTO hour_sums AS h SELECT symbol, basis, hour_of(minute), count(*), max(high), min(low), sum(volume), sum(count), sum(sum_price), sum(sum_price2), sum(sum_pv)
        FROM changed GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (symbol, basis, hour) DO UPDATE SET bars = h.bars + EXCLUDED.bars, high = greatest(h.high, EXCLUDED.high), low = least(h.low, EXCLUDED.low),
        volume = h.volume + EXCLUDED.volume, count = h.count + EXCLUDED.count, sum_price = h.sum_price + EXCLUDED.sum_price,
        sum_price2 = h.sum_price2 + EXCLUDED.sum_price2, sum_pv = h.sum_pv + EXCLUDED.sum_pv;
    INSERT INTO symbol_sums AS t SELECT symbol, basis, sum(count), count(*), min(minute), max(minute) FROM changed GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (symbol, basis) DO UPDATE SET ticks = t.ticks + EXCLUDED.ticks, bars = t.bars + EXCLUDED.bars,
        first = least(t.first, EXCLUDED.first), last = greatest(t.last, EXCLUDED.last);
    RETURN NULL;
END $$;

-- Sums of one hour from its bars, and of a symbol from its hours: where bars were taken away, which only `verify` does.
CREATE FUNCTION sum_hour_again(of_symbol text, of_basis text, at timestamptz) RETURNS void LANGUAGE sql AS $$
    DELETE FROM hour_sums WHERE symbol = of_symbol AND basis = of_basis AND hour = at;
    INSERT INTO hour_sums SELECT symbol, basis, at, count(*), max(high), min(low), sum(volume), sum(count), sum(sum_price), sum(sum_price2), sum(sum_pv)
        FROM bars_1m WHERE symbol = of_symbol AND basis = of_basis AND minute >= at AND minute < at + interval '1 hour' GROUP BY 1, 2 $$;

CREATE FUNCTION sum_symbol_again(of_symbol text, of_basis text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM symbol_sums WHERE symbol = of_symbol AND basis = of_basis;
    INSERT INTO symbol_sums SELECT symbol, basis, sum(count), sum(bars), (SELECT min(minute) FROM bars_1m WHERE symbol = of_symbol AND basis = of_basis),
            (SELECT max(minute) FROM bars_1m WHERE symbol = of_symbol AND basis = of_basis)
        FROM hour_sums WHERE symbol = of_symbol AND basis = of_basis GROUP BY 1, 2 $$;

-- Grouped, not joined: the plan is kept from the first call, and one that suits few rows would join thousands row by row.
CREATE FUNCTION sum_amended_bars() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    again text[][];
BEGIN
    IF NOT EXISTS (SELECT FROM changed) THEN RETURN NULL; END IF;
    WITH minutes AS MATERIALIZED (
        SELECT symbol, basis, hour_of(minute) AS hour, max(high) FILTER (WHERE after) AS high, min(low) FILTER (WHERE after) AS low,
            max(high) FILTER (WHERE after) IS DISTINCT FROM max(high) OR min(low) FILTER (WHERE after) IS DISTINCT FROM min(low) AS narrower,
            sum(CASE WHEN after THEN volume ELSE -volume END) AS volume, sum(CASE WHEN after THEN count ELSE -count END) AS count,
            sum(CASE WHEN after THEN sum_price ELSE -sum_price END) AS sum_price, sum(CASE WHEN after THEN sum_price2 ELSE -sum_price2 END) AS sum_price2,
            sum(CASE WHEN after THEN sum_pv ELSE -sum_pv END) AS sum_pv
        FROM (SELECT *, true AS after FROM changed UNION ALL SELECT *, false FROM replaced) b GROUP BY symbol, basis, minute),
    hours AS MATERIALIZED (SELECT symbol, basis, hour, max(high) AS high, min(low) AS low, sum(volume) AS volume, sum(count)::bigint AS count,
        sum(sum_price) AS sum_price, sum(sum_price2) AS sum_price2, sum(sum_pv) AS sum_pv, bool_or(narrower) AS narrower FROM minutes GROUP BY symbol, basis, hour),
    summed AS (UPDATE hour_sums h SET high = greatest(h.high, d.high), low = least(h.low, d.low), volume = h.volume + d.volume, count = h.count + d.count,
            sum_price = h.sum_price + d.sum_price, sum_price2 = h.sum_price2 + d.sum_price2, sum_pv = h.sum_pv + d.sum_pv
        FROM hours d WHERE h.symbol = d.symbol AND h.basis = d.basis AND h.hour = d.hour),
    counted AS (UPDATE symbol_sums t SET ticks = t.ticks + d.ticks FROM (SELECT symbol, basis, sum(count) AS ticks FROM hours GROUP BY symbol, basis) d
        WHERE t.symbol = d.symbol AND t.basis = d.basis AND d.ticks <> 0)
    SELECT array_agg(ARRAY[symbol, basis, hour::text]) INTO again FROM hours h WHERE h.narrower;
    FOR i IN 1 .. coalesce(array_length(again, 1), 0) LOOP
        -- not all sums again: the same statement may have brought new bars, which are counted on their own
        UPDATE hour_sums h SET (high, low) = (SELECT max(high), min(low) FROM bars_1m b WHERE b.symbol = h.symbol AND b.basis = h.basis AND b.minute >= h.hour AND b.minute < h.hour + interval '1 hour')
            WHERE h.symbol = again[i][1] AND h.basis = again[i][2] AND h.hour = again[i][3]::timestamptz;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION sum_without_bars() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN DELETE FROM hour_sums; DELETE FROM symbol_sums; RETURN NULL; END IF;
    PERFORM sum_hour_again(symbol, basis, hour) FROM (SELECT DISTINCT symbol, basis, hour_of(minute) AS hour FROM changed) gone;
    PERFORM sum_symbol_again(symbol, basis) FROM (SELECT DISTINCT symbol, basis FROM changed) gone;
    RETURN NULL;
END $$;

CREATE TRIGGER new_bars_summed AFTER INSERT ON bars_1m REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sum_new_bars();
CREATE TRIGGER amended_bars_summed AFTER UPDATE ON bars_1m REFERENCING OLD TABLE AS replaced NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sum_amended_bars();
CREATE TRIGGER gone_bars_summed AFTER DELETE ON bars_1m REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION sum_without_bars();
CREATE TRIGGER all_bars_gone AFTER TRUNCATE ON bars_1m FOR EACH STATEMENT EXECUTE FUNCTION sum_without_bars();

-- From here on the triggers hold off who writes bars, so nothing is counted twice or missed.
INSERT INTO hour_sums SELECT symbol, basis, hour_of(minute), count(*), max(high), min(low), sum(volume), sum(count), sum(sum_price), sum(sum_price2), sum(sum_pv)
    FROM bars_1m GROUP BY 1, 2, 3;
INSERT INTO symbol_sums SELECT symbol, basis, sum(count), count(*), min(minute), max(minute) FROM bars_1m GROUP BY 1, 2;
