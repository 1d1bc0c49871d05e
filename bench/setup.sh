#!/usr/bin/env bash
# The peers' environment: bench/.venv-peers, exactly as locked. Their servers are looked for at run time.
#   Debian: apt install redis-server rabbitmq-server postgresql
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$here/.venv-peers
lock=$here/requirements-peers.lock
python=${PYTHON:-$here/../.venv/bin/python}
if ! cmp -s "$lock" "$venv/.made"; then
  echo 'Making bench/.venv-peers (once) ...'
  rm -f "$venv/.made"
  "$python" -m venv --clear "$venv"
  "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes --requirement "$lock"
  cp "$lock" "$venv/.made"
fi
