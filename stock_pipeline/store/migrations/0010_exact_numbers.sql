-- Prices to ten decimals and volumes to a million millions, as they are: a coin costs 0.00000857 USD. A `numeric`
-- without limits keeps the digits that it is given and rounds nothing, and no row is written anew for it. What was kept
-- out by the precision (Infinity, which ranks below NaN and above every number) is kept out by checks from here on.

ALTER TABLE stock_prices
    DROP CONSTRAINT stock_prices_price_check, DROP CONSTRAINT stock_prices_volume_check,
    DROP CONSTRAINT stock_prices_open_check, DROP CONSTRAINT stock_prices_high_check,
    DROP CONSTRAINT stock_prices_low_check, DROP CONSTRAINT stock_prices_previous_close_check,
    DROP CONSTRAINT stock_prices_change_check, DROP CONSTRAINT stock_prices_percent_change_check,
    ALTER price TYPE numeric, ALTER volume TYPE numeric, ALTER open TYPE numeric, ALTER high TYPE numeric,
    ALTER low TYPE numeric, ALTER previous_close TYPE numeric, ALTER change TYPE numeric,
    ALTER percent_change TYPE numeric,
    ADD CONSTRAINT stock_prices_price_check CHECK (price > 0 AND price <= 1e12),
    ADD CONSTRAINT stock_prices_volume_check CHECK (volume >= 0 AND volume <= 1e12),
    ADD CONSTRAINT stock_prices_open_check CHECK (open > 0 AND open <= 1e12),
    ADD CONSTRAINT stock_prices_high_check CHECK (high > 0 AND high <= 1e12),
    ADD CONSTRAINT stock_prices_low_check CHECK (low > 0 AND low <= 1e12),
    ADD CONSTRAINT stock_prices_previous_close_check CHECK (previous_close > 0 AND previous_close <= 1e12),
    ADD CONSTRAINT stock_prices_change_check CHECK (change BETWEEN -1e12 AND 1e12),
    ADD CONSTRAINT stock_prices_percent_change_check CHECK (percent_change BETWEEN -1e12 AND 1e12);

ALTER TABLE latest
    DROP CONSTRAINT latest_numbers,
    ALTER price TYPE numeric, ALTER volume TYPE numeric, ALTER open TYPE numeric, ALTER high TYPE numeric,
    ALTER low TYPE numeric, ALTER previous_close TYPE numeric, ALTER change TYPE numeric,
    ALTER percent_change TYPE numeric,
    ADD CONSTRAINT latest_numbers CHECK (
        price > 0 AND price <= 1e12 AND volume >= 0 AND volume <= 1e12 AND open > 0 AND open <= 1e12
        AND high > 0 AND high <= 1e12 AND low > 0 AND low <= 1e12 AND previous_close > 0 AND previous_close <= 1e12
        AND change BETWEEN -1e12 AND 1e12 AND percent_change BETWEEN -1e12 AND 1e12);

ALTER TABLE bars_1m
    DROP CONSTRAINT bars_1m_numbers,
    ALTER open TYPE numeric, ALTER high TYPE numeric, ALTER low TYPE numeric, ALTER close TYPE numeric,
    ALTER volume TYPE numeric, ALTER sum_price TYPE numeric, ALTER sum_price2 TYPE numeric, ALTER sum_pv TYPE numeric,
    ADD CONSTRAINT bars_1m_numbers CHECK (
        open > 0 AND open <= 1e12 AND high > 0 AND high <= 1e12 AND low > 0 AND low <= 1e12
        AND close > 0 AND close <= 1e12 AND volume >= 0 AND volume < 'Infinity'
        AND sum_price > 0 AND sum_price < 'Infinity' AND sum_price2 > 0 AND sum_price2 < 'Infinity'
        AND sum_pv >= 0 AND sum_pv < 'Infinity'),
    ADD CONSTRAINT bars_1m_decimals CHECK (greatest(scale(open), scale(high), scale(low), scale(close), scale(volume),
        scale(sum_price)) <= 10 AND greatest(scale(sum_price2), scale(sum_pv)) <= 20);

ALTER TABLE moving_averages
    DROP CONSTRAINT moving_averages_numbers,
    ALTER mean TYPE numeric, ALTER vwap TYPE numeric,
    ADD CONSTRAINT moving_averages_numbers CHECK (
        mean > 0 AND mean <= 1e12 AND vwap > 0 AND vwap <= 1e12 AND count > 0
        AND greatest(scale(mean), scale(vwap)) <= 10);

-- A trigger that names columns holds on to their types; it comes back as it was.
DROP TRIGGER changed_hour_unwritten ON hour_sums;
ALTER TABLE hour_sums ALTER high TYPE numeric, ALTER low TYPE numeric;
CREATE TRIGGER changed_hour_unwritten
    BEFORE UPDATE OF bars, high, low, volume, count, sum_price, sum_price2, sum_pv ON hour_sums
    FOR EACH ROW WHEN (OLD.bar_lines IS NOT NULL) EXECUTE FUNCTION forget_lines();

-- Averages had six decimals. They follow from the bars, so those that six decimals cut short get the other four.
WITH w AS (
    SELECT b.symbol, b.basis, b.minute, n.length, n.sums
    FROM (SELECT symbol, basis, minute,
            ROW(sum(sum_price) OVER w5, sum(sum_pv) OVER w5, sum(volume) OVER w5,
                sum(count) OVER w5)::window_sums AS s5,
            ROW(sum(sum_price) OVER w15, sum(sum_pv) OVER w15, sum(volume) OVER w15,
                sum(count) OVER w15)::window_sums AS s15,
            ROW(sum(sum_price) OVER w30, sum(sum_pv) OVER w30, sum(volume) OVER w30,
                sum(count) OVER w30)::window_sums AS s30
        FROM bars_1m
        WINDOW w5 AS (PARTITION BY symbol, basis ORDER BY minute RANGE '4 min' PRECEDING),
            w15 AS (PARTITION BY symbol, basis ORDER BY minute RANGE '14 min' PRECEDING),
            w30 AS (PARTITION BY symbol, basis ORDER BY minute RANGE '29 min' PRECEDING)) b
    CROSS JOIN LATERAL (VALUES (5, b.s5), (15, b.s15), (30, b.s30)) AS n (length, sums)),
due AS MATERIALIZED ( -- without it each of many rows would be looked for by itself
    SELECT symbol, basis, minute, length, (sums).price * 1.000000000000000000000000000000 / (sums).ticks AS mean,
        CASE WHEN (sums).volume > 0 THEN (sums).pv * 1.000000000000000000000000000000 / (sums).volume END AS vwap
    FROM w)
UPDATE moving_averages m SET mean = round(d.mean, 10), vwap = round(d.vwap, 10) FROM due d
WHERE (m.symbol, m.basis, m.length, m.minute) = (d.symbol, d.basis, d.length, d.minute)
    AND (m.mean, m.vwap) IS NOT DISTINCT FROM (round(d.mean, 6), round(d.vwap, 6))
    AND (m.mean, m.vwap) IS DISTINCT FROM (round(d.mean, 10), round(d.vwap, 10));
