#!/bin/sh
# Runs in a container of its own, before the others (`docker compose up`), or when somebody asks:
#   secrets.sh make      makes each password once and gives each container what it needs, a file a secret
#   secrets.sh logins    shows the logins that people need
# What stands in .env is taken instead. Nothing is shown by `make`, and nothing is ever an argument of a program.
set -eu
umask 022
KEPT=/secrets/kept

setting() { # NAME: its value in .env; nothing where there is none
    [ -e /project/.env ] || return 0
    sed -n "1s/^\xef\xbb\xbf//; s/\r\$//
        s/^[[:space:]]*\(export[[:space:]]\{1,\}\)\{0,1\}$1[[:space:]]*=[[:space:]]*//p" /project/.env | tail -n 1 |
        sed "s/^\"\([^\"]*\)\".*/\1/; t; s/^'\([^']*\)'.*/\1/; t; s/[[:space:]]\{1,\}#.*//; s/[[:space:]]*\$//"
}

put() { # FILE: what comes in, whole or not at all
    cat > "$1.new"
    mv "$1.new" "$1"
}

keep() { # NAME: the secret as .env says, or as it was, or a new one
    given=$(setting "$1")
    if [ -n "$given" ]; then echo "$given" | put "$KEPT/$1"
    elif [ ! -s "$KEPT/$1" ]; then od -An -N18 -tx1 /dev/urandom | tr -d ' \n' | put "$KEPT/$1"
    fi
}

kept() { cat "$KEPT/$1"; }

make() {
    for name in POSTGRES_SUPERUSER_PASSWORD POSTGRES_PASSWORD POSTGRES_WRITER_PASSWORD POSTGRES_READER_PASSWORD \
            REDIS_PASSWORD PGADMIN_PASSWORD; do keep "$name"; done
    cd /secrets
    kept POSTGRES_SUPERUSER_PASSWORD | put postgres/superuser
    kept POSTGRES_PASSWORD | tee postgres/owner | put stream/POSTGRES_PASSWORD
    kept POSTGRES_WRITER_PASSWORD | tee postgres/writer | put stream/POSTGRES_WRITER_PASSWORD
    kept POSTGRES_READER_PASSWORD | tee postgres/reader | put dashboard/POSTGRES_READER_PASSWORD
    kept REDIS_PASSWORD | put redis/password
    { printf 'requirepass "'; kept REDIS_PASSWORD | tr -d '\n'; echo '"'; } | put redis/redis.conf
    { printf 'redis://:'; kept REDIS_PASSWORD | tr -d '\n'; echo '@redis:6379/0'; } |
        tee stream/REDIS_URL | put dashboard/REDIS_URL
    kept PGADMIN_PASSWORD | put pgadmin/password
    # one key for all would be one key too many: only the producer needs it, the others must only know that there is one
    key=$(setting FINNHUB_API_KEY)
    if [ -z "$key" ] && [ -n "${KEY_IN_SHELL:-}" ]; then
        echo 'FINNHUB_API_KEY is set in the shell only. Write it into .env: the containers read it there' >&2
        exit 2
    fi
    echo "$key" | put producer/FINNHUB_API_KEY
    echo "${key:+held by the producer}" | tee stream/FINNHUB_API_KEY | put dashboard/FINNHUB_API_KEY
}

logins() {
    if [ ! -s "$KEPT/PGADMIN_PASSWORD" ]; then
        echo 'There are no passwords yet: docker compose up -d makes them' >&2
        exit 1
    fi
    echo "pgAdmin     http://localhost:$PGADMIN_PORT   $PGADMIN_EMAIL   $(kept PGADMIN_PASSWORD)"
    echo "PostgreSQL  localhost:$POSTGRES_PORT   $POSTGRES_USER   $(kept POSTGRES_PASSWORD)"
    echo "Redis       localhost:$REDIS_PORT   default   $(kept REDIS_PASSWORD)"
}

case ${1:-make} in
    make) make ;;
    logins) logins ;;
    *) echo 'make or logins' >&2; exit 2 ;;
esac
