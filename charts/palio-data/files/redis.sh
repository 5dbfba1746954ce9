#!/bin/sh
# The password stands in a file in memory: on the command line everyone could read it.
set -eu
server=$(command -v valkey-server || command -v redis-server)
{
  printf 'requirepass %s\n' "$(cat /etc/palio/secret/password)"
  printf 'port 6379\nbind * -::*\nprotected-mode yes\ndir /tmp\nsave ""\nappendonly no\ndaemonize no\n'
  printf 'maxmemory %s\nmaxmemory-policy noeviction\n' "$MAX_MEMORY"
} > /tmp/server.conf
exec "$server" /tmp/server.conf
