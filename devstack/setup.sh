#!/usr/bin/env bash
# Makes the virtual environment named by $1 hold exactly what requirements.lock lists.
# Needs nothing but Python 3.11 or newer. Does nothing when the lock is the one installed.
set -euo pipefail
venv=$1
stamp=$venv/installed.lock

say() { printf 'setup: %s\n' "$*" >&2; }

if [ -x "$venv/bin/python" ] && cmp -s requirements.lock "$stamp"; then
  exit 0
fi

python=
for name in python3.13 python3.12 python3.11 python3; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  say "no Python 3.11 or newer found (tried python3.13, python3.12, python3.11, python3)"
  exit 2
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  rm -rf "$venv"
  say "making $venv with $("$python" --version)"
  if ! out=$("$python" -m venv "$venv" 2>&1); then
    rm -rf "$venv"
    say "$python cannot make a virtual environment; on Debian: apt install python3-venv (it said: $(printf '%s' "$out" | tail -n 1))"
    exit 2
  fi
fi

say "installing $(grep -c '^[a-zA-Z0-9]' requirements.lock) locked packages (a few minutes the first time)"
log=$venv/install.log
if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
  --require-hashes -r requirements.lock >"$log" 2>&1; then
  say "the packages could not be installed; is there a network? pip said: $(grep -iE 'error' "$log" | tail -n 1) (all of it: $log)"
  exit 2
fi
cp requirements.lock "$stamp"
