#!/bin/sh
# What the database's image would do at its start: make the cluster once, then serve.
set -e
bin=$(echo /usr/lib/postgresql/*/bin)
if [ ! -s /data/db/PG_VERSION ]; then
  "$bin/initdb" -D /data/db -U api --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256 \
    --locale=C -E UTF8 --no-sync >/dev/null
  echo 'host all all all scram-sha-256' >>/data/db/pg_hba.conf
fi
exec "$bin/postgres" -D /data/db -c 'listen_addresses=*' -c unix_socket_directories=/tmp -c fsync=off
