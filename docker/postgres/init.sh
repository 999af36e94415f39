#!/bin/sh
# Run by the image once, when it makes the data folder: the owner, who is no superuser, and a database for each feed.
set -eu
psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --quiet -U "$POSTGRES_USER" -d postgres <<'SQL'
\getenv owner STOCK_USER
\getenv password STOCK_PASSWORD
\getenv real STOCK_DB
\set simulated :real _simulated
\set replay :real _replay
CREATE ROLE :"owner" LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE :"real" OWNER :"owner";
CREATE DATABASE :"simulated" OWNER :"owner";
CREATE DATABASE :"replay" OWNER :"owner";
SQL
