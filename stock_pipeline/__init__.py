"""A real-time stock market data pipeline: feed → Kafka → Spark → PostgreSQL and Redis → dashboard.

Each package is a room. A room imports only from those above it, in the order of this list. What a program of one's own
imports first:

    core.config       Settings, load_settings
    core.errors       PipelineError, ConfigError, FeedError, StoreError, BrokerError, StackError, RecordError
    core.records      Tick, encode_tick, decode_tick, tick_schema
    core.sessions     Session, session_at, trading_day
    core.testing      ManualClock, make_tick, random_ticks
    local.stack       Stack, embedded_stack
    feed.finnhub      FinnhubClient
    feed.trades       TradeStream
    twin.server       Twin, serve_twin
    ingest.producer   run_producer
    stream.parse      parse_records
    store.reader      Reader
    job.job           run_stream
    keep.examine      examine, Report
    run.up            run_up
    prove.rounds      run_prove
    bench.race        run_bench
    cli.app           main

The first notebook of each room says under "What you may import" what else is meant for others. All the rest may change
without notice. Nothing happens at import, and this module imports none of the others.
"""
__version__ = "0.1.0"
