"A whole recorded day at full speed on a machine with a sixth of a core: the producer keeps its pace, and loses nothing."
import json, os, signal, subprocess, sys, threading, time
from collections import Counter
from datetime import date
from itertools import islice

import pytest
from kafka import KafkaConsumer

from stock_pipeline.core.config import default_cache, load_settings
from stock_pipeline.core.heartbeat import beat_path, read_beat
from stock_pipeline.core.records import decode_tick
from stock_pipeline.core.testing import real_day
from stock_pipeline.local.home import settings_env
from stock_pipeline.local.kafka import KafkaServer
from stock_pipeline.local.server import free_port
from stock_pipeline.twin.market import Market
from stock_pipeline.twin.recording import Recording, write_recording

SHARE, SLICE = 1/6, .12 # of a core; seconds

class Slices:
    "Lets processes run for a sixth of the time, all at once, as a machine of a sixth of a core would."
    def __init__(self, pids): self.pids, self._over = pids, threading.Event()

    def _signal(self, kind):
        for pid in self.pids:
            try: os.kill(pid, kind)
            except ProcessLookupError: pass

    def _run(self):
        while not self._over.is_set():
            self._signal(signal.SIGCONT)
            self._over.wait(SLICE*SHARE)
            self._signal(signal.SIGSTOP)
            self._over.wait(SLICE*(1 - SHARE))
        self._signal(signal.SIGCONT)

    def __enter__(self):
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._over.set()
        self._thread.join()

def a_day(folder): # the recording, and how many trades are in it
    if day := real_day(): return day, sum(len(m.trades) for m in Recording(day).messages())
    path, market = folder/'day.jsonl.gz', Market(7)
    messages = list(islice(market.day_messages(date(2026, 3, 2)), 150_000))
    write_recording(messages, path, market.symbols)
    return path, sum(len(m.trades) for m in messages)

def count_stored(address, topic):
    consumer = KafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset='earliest', consumer_timeout_ms=5000)
    try: return Counter(decode_tick(r.value).event_id for r in consumer)
    finally: consumer.close()

@pytest.mark.long
def test_a_day_at_full_speed_on_a_sixth_of_a_core(tmp_path):
    day, n = a_day(tmp_path)
    kafka = KafkaServer(tmp_path, default_cache(), free_port())
    kafka.choose_port()
    kafka.start()
    settings = load_settings(None, stock_pipeline_home=tmp_path, kafka_bootstrap_servers=kafka.address,
        replay_files=str(day), twin_speed=0)
    env = {**os.environ, **settings_env(settings)}
    beat, started = beat_path(tmp_path, 'producer'), time.monotonic()
    command = [sys.executable, '-P', '-m', 'stock_pipeline', 'service', 'producer']
    process = subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        with Slices([process.pid, kafka.pid]):
            seen = wait(process, beat, lambda b: b.is_alive, 60)
            print(f'works after {time.monotonic() - started:.0f} s')
            seen = wait(process, beat, lambda b: b.facts['replay_done'], 1200)
        took = time.monotonic() - started
        print(f'{n:,} trades in {took:.0f} s; {seen.facts["resent"]} sent again, {seen.facts["broker_clients"]} clients')
        stored = count_stored(kafka.address, settings.topic)
        assert (len(stored), seen.facts['ticks_sent']) == (n, n)
    finally:
        process.terminate()
        process.wait(30)
        kafka.stop()

def wait(process, path, condition, seconds): # the heartbeat that meets it
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        assert process.poll() is None, process.stderr.read().decode()[-2000:]
        beat = read_beat(path)
        if beat is not None and condition(beat): return beat
        time.sleep(.2)
    raise AssertionError(f'not within {seconds} s: {json.dumps(beat and beat.facts)[:1500]}')
