"""Ticks into PostgreSQL three ways: `store.wire`, pgpq and ADBC. Repeats the table in the notebook on the wire.

    pip install pgpq adbc-driver-postgresql adbc-driver-manager # in a scratch environment that has this package too
    python tests/compare_copy.py

Each way gets the columns as the stream has them (times as epoch ms, ids as hexadecimal text, money as decimal128) and
puts them into `stock_prices`, which has the table's real key and checks. What is told is the best of seven runs: the
processor time of this process for encoding, and the time until the rows are committed.
"""
import io, time
from contextlib import closing
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from stock_pipeline.core.columns import TICKS
from stock_pipeline.core.testing import random_ticks
from stock_pipeline.local.stack import embedded_stack
from stock_pipeline.store.connection import connect, transaction
from stock_pipeline.store.migrations import migrate
from stock_pipeline.store.partitions import ensure_partitions
from stock_pipeline.store.wire import binary_rows

ROWS, RUNS, TIMES = 50_000, 7, ('event_time', 'received_at')

def trades(n):
    "As many trades as the stream would hand over."
    rows = []
    for t in random_ticks(n):
        row = {c: getattr(t, c) for c in TICKS.names}
        day = dict.fromkeys(('open', 'high', 'low', 'previous_close', 'change', 'percent_change'))
        rows.append({**row, **day, 'source': 'websocket', 'conditions': ','.join(t.conditions) or None})
    return pa.Table.from_pylist(rows, schema=TICKS)

def typed(ticks):
    "The same with the types that name a timestamp and sixteen bytes, for those who go by types."
    for name in TIMES:
        moments = pc.cast(ticks[name], pa.timestamp('ms', 'UTC'))
        ticks = ticks.set_column(ticks.column_names.index(name), name, moments)
    data = bytes.fromhex(''.join(ticks['event_id'].to_pylist()))
    ids = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(ticks), [None, pa.py_buffer(data)])
    ticks = ticks.set_column(ticks.column_names.index('event_id'), 'event_id', ids)
    return ticks.select([c for c in ticks.column_names if ticks[c].null_count < len(ticks)])

def by_wire(ticks): return binary_rows(ticks, TIMES, uuids=['event_id'])

def by_pgpq(ticks):
    from pgpq import ArrowToPostgresBinaryEncoder
    table = typed(ticks)
    encoder = ArrowToPostgresBinaryEncoder(table.schema)
    parts = [encoder.write_header(), *(encoder.write_batch(b) for b in table.to_batches()), encoder.finish()]
    return table.column_names, b''.join(parts)

def copy(conn, names, rows):
    with transaction(conn) as cur:
        statement = f"COPY stock_prices ({', '.join(names)}) FROM STDIN (FORMAT binary)"
        cur.copy_expert(statement, io.BytesIO(rows), size=1 << 20)

def measured(conn, run):
    "Best processor time of the first half and best time of both, in ms; the rows are taken away after each run."
    encoding, whole = [], []
    for _ in range(RUNS):
        cpu, start = time.process_time(), time.perf_counter()
        encoding.append(run(cpu))
        whole.append(time.perf_counter() - start)
        with transaction(conn) as cur:
            cur.execute('SELECT count(*) FROM stock_prices')
            assert cur.fetchone()[0] == ROWS
            cur.execute('TRUNCATE stock_prices')
    return min(encoding)*1000, min(whole)*1000

def encoded_by(conn, ticks, encode):
    def run(cpu):
        names, rows = encode(ticks)
        took = time.process_time() - cpu
        copy(conn, names, rows)
        return took
    return run

def ingested(dsn, ticks):
    "ADBC encodes and sends in one call; told is the processor time of both."
    from adbc_driver_postgresql import dbapi
    uri = 'postgresql://{user}:{password}@{host}:{port}/{dbname}'.format(**dsn)
    conn = dbapi.connect(uri)
    def run(cpu):
        with conn.cursor() as cur: cur.adbc_ingest('stock_prices', typed(ticks), mode='append')
        conn.commit()
        return time.process_time() - cpu
    return run

def main():
    ticks = trades(ROWS)
    with embedded_stack(kafka=False, redis=False) as settings, closing(connect(settings.postgres_dsn())) as conn:
        migrate(conn)
        ensure_partitions(conn, {date.fromtimestamp(ms/1000) for ms in pc.unique(ticks['event_time']).to_pylist()})
        ways = {'store.wire': encoded_by(conn, ticks, by_wire), 'pgpq': encoded_by(conn, ticks, by_pgpq),
                'ADBC': ingested(settings.postgres_dsn(), ticks)}
        for name, run in ways.items():
            encoding, whole = measured(conn, run)
            print(f'{name:10}  encoding {encoding:6.1f} ms CPU  until committed {whole:6.1f} ms')

if __name__ == '__main__': main()
