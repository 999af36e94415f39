#!/bin/sh
# Run by the image when it makes the data folder: three roles, none of them a superuser, and a database for each feed.
# Safe to run again: it brings an older volume, or one whose passwords were changed, up to date. The passwords are read
# from files by psql itself, so they stand on no command line.
set -eu
psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --quiet -U "${POSTGRES_USER:-postgres}" -d postgres <<'SQL'
\getenv owner STOCK_USER
\getenv writer WRITER_USER
\getenv reader READER_USER
\getenv real STOCK_DB
\set owner_password `cat /run/secrets/owner`
\set writer_password `cat /run/secrets/writer`
\set reader_password `cat /run/secrets/reader`
\set simulated :real _simulated
\set replay :real _replay
SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY[:'owner', :'writer', :'reader']) name
    WHERE name NOT IN (SELECT rolname FROM pg_roles) \gexec
ALTER ROLE :"reader" LOGIN NOCREATEROLE PASSWORD :'reader_password';
ALTER ROLE :"writer" LOGIN NOCREATEROLE PASSWORD :'writer_password';
ALTER ROLE :"owner" LOGIN NOCREATEROLE PASSWORD :'owner_password';
SELECT format('CREATE DATABASE %I OWNER %I', name, :'owner') FROM unnest(ARRAY[:'real', :'simulated', :'replay']) name
    WHERE name NOT IN (SELECT datname FROM pg_database) \gexec
SQL
