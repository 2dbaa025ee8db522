#!/usr/bin/env bash
# Sets up one part of the checkout: tools/setup.sh runtime|dev|node. Called by the Makefile, which
# keeps the stamp files, so that this runs only when something changed.
set -euo pipefail
cd "$(dirname "$0")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONUTF8=1

say() { printf '» %s\n' "$*"; }
fail() { printf '✗ %s\n' "$1" >&2; shift; printf '  %s\n' "$@" >&2; exit 1; }

# Two terminals may set up at once; the second waits. Without flock (macOS) they had better not.
lock() {
  mkdir -p "$1"
  if command -v flock >/dev/null; then
    exec 9>"$1/.lock"
    flock 9
  fi
}

# The first Python that is new enough; run, not only found: a version manager may list what it
# cannot start.
find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "Cambist needs Python 3.11 or newer; this machine has $({ python3 --version || echo none; } 2>/dev/null)." \
    "Install one, or name it: make setup PYTHON=/path/to/python3.12"
}

make_venv() {
  # A virtual environment whose Python was removed is made anew.
  .venv/bin/python -c '' 2>/dev/null && return
  local python
  python=$(find_python)
  say "a virtual environment in .venv, with $("$python" --version)"
  "$python" -m venv --clear .venv ||
    fail "Python cannot make virtual environments." "On Debian and Ubuntu: apt install python3-venv"
}

# On a terminal pip's progress is one line that changes; elsewhere only problems are shown.
pip_install() {
  if [ -t 1 ]; then
    .venv/bin/pip install --progress-bar off "$@" |
      awk '/^(Collecting|Installing|Building)/ { printf "\r\033[K  %s", substr($0, 1, 76); fflush() }
           END { printf "\r\033[K" }'
  else
    .venv/bin/pip install --quiet "$@"
  fi
}

setup_python() {
  local lock_file=$1
  lock .cache
  make_venv
  say "$(grep -c '^[A-Za-z0-9].*==' "$lock_file") Python packages from $lock_file"
  # Exactly what is locked, each file by its hash; then our own two, linked to the checkout.
  pip_install --require-hashes --no-deps -r "$lock_file"
  pip_install --no-deps --no-build-isolation -e clients/python -e .
}

setup_node() {
  local major
  major=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || true
  if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null; then
    say "no Node.js 20 or newer here: the local EVM chain is left out, all else works"
    return
  fi
  lock .cache
  say "a local EVM chain and its contracts, from package-lock.json"
  # Not `npm ci`: it wants every platform's binary in the lock, and not every registry carries all.
  npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
  if ! node_modules/@foundry-rs/anvil-*/bin/anvil* --version >/dev/null 2>&1; then
    say "anvil has no binary for this platform: the local EVM chain is left out, all else works"
  fi
  touch node_modules/.ready
}

case "${1:-}" in
  runtime)
    setup_python requirements.lock
    touch .venv/.runtime
    ;;
  dev)
    setup_python requirements-dev.lock
    # Development holds all that the runtime needs, in the same versions.
    touch .venv/.runtime .venv/.dev
    ;;
  node) setup_node ;;
  *) fail "usage:" "tools/setup.sh runtime|dev|node" ;;
esac
