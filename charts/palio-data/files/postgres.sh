#!/bin/sh
# Make the data directory once, then become the server. An attempt that was interrupted is thrown away.
set -eu
data=$PGDATA
if [ ! -e "$data/PG_VERSION" ]; then
  rm -rf "$data.unfinished"
  initdb -D "$data.unfinished" --username palio --pwfile /etc/palio/secret/password --auth scram-sha-256 \
    --encoding UTF8 --no-locale --data-checksums --no-instructions
  echo 'host all all all scram-sha-256' >> "$data.unfinished/pg_hba.conf"
  echo 'CREATE DATABASE palio' | postgres --single -D "$data.unfinished" postgres >/dev/null
  mv "$data.unfinished" "$data"
fi
exec postgres -D "$data" "$@"
