-- Three roles: the owner (who runs this file) makes and drops tables, the writer adds and amends rows, the reader reads.
-- Their names are settings and an external database may not know them, so what each may do stands in a function, which the
-- migration runner calls with the names that exist.

-- The one table that is made while ticks come in: the partition of a day. The writer owns nothing and may create nothing;
-- this runs with the owner's rights, and its argument can only be a date.
CREATE FUNCTION make_partition(day date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    name text := 'stock_prices_' || to_char(day, 'YYYYMMDD');
    start timestamptz := day::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF day IS NULL OR day NOT BETWEEN date '1970-01-01' AND date '2199-12-31' THEN
        RAISE EXCEPTION 'no partition for the day %', day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(7311903);
    -- asks the catalogue's rows: to_regclass may answer from a cache that is older than the lock
    IF EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = current_schema()::regnamespace) THEN RETURN false; END IF;
    -- a day that retention has dropped is not made again
    IF EXISTS (SELECT FROM retention WHERE start < sealed_before) THEN RETURN false; END IF;
    EXECUTE format('CREATE TABLE %I (LIKE stock_prices INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', name);
    EXECUTE format('ALTER TABLE stock_prices ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, start, start + interval '24 hours');
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION make_partition(date) FROM PUBLIC;

-- What each role may do; safe to run again, and run again after every later migration. Ticks are facts: nobody but
-- retention takes them away. What is dropped is the owner's word, and so is which migrations have run.
CREATE FUNCTION grant_roles(writer text, reader text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place text := current_schema();
    it record;
    who text;
BEGIN
    PERFORM pg_advisory_xact_lock(7311903);
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', place);
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;
    ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM PUBLIC;
    FOREACH who IN ARRAY array_remove(ARRAY[reader, writer], NULL) LOOP
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), who);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', place, who);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC, %I', place, who);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I', place, who);
        -- partitions that are made later
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO %I', place, who);
    END LOOP;
    FOR it IN SELECT p.oid::regprocedure AS name, p.prosecdef AS borrows FROM pg_proc p WHERE p.pronamespace = place::regnamespace LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', it.name);
        FOREACH who IN ARRAY array_remove(ARRAY[reader, writer], NULL) LOOP
            -- a function that lends the owner's rights is for the writer, and only the one that is named here
            IF NOT it.borrows OR who = writer AND it.name = 'make_partition(date)'::regprocedure THEN
                EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', it.name, who);
            END IF;
        END LOOP;
    END LOOP;
    FOR it IN SELECT t.oid::regtype AS name FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE c.relkind = 'c' AND t.typnamespace = place::regnamespace LOOP
        EXECUTE format('REVOKE ALL ON TYPE %s FROM PUBLIC', it.name);
        FOREACH who IN ARRAY array_remove(ARRAY[reader, writer], NULL) LOOP EXECUTE format('GRANT USAGE ON TYPE %s TO %I', it.name, who); END LOOP;
    END LOOP;
    IF writer IS NULL THEN RETURN; END IF;
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), writer);
    EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I', place, writer);
    FOR it IN SELECT c.oid::regclass AS name, c.relispartition OR c.relname = 'stock_prices' AS ticks FROM pg_class c
            WHERE c.relnamespace = place::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('schema_migrations', 'retention') LOOP
        EXECUTE format('GRANT INSERT ON %s TO %I', it.name, writer);
        IF NOT it.ticks THEN EXECUTE format('GRANT UPDATE, DELETE ON %s TO %I', it.name, writer); END IF;
    END LOOP;
END $$;

-- A function that lends rights must not look for its tables where its caller says: temporary tables come last.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION make_partition(date) SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION grant_roles(text, text) SET search_path = %I, pg_temp', current_schema());
END $$;
