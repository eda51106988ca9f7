#!/bin/sh
# Installs AWS's Go, JavaScript and Java SDKs for tests/conformance/sdks and tests/e2e/go_program, and interpreters and
# AWS's runtime clients for tests/e2e/sandbox, into .cache/sdks, from their lock files, once; builds the cache extension
# with its tests, the layers of examples/cipher, and an extension on AWS's Rust crate; Pillow, as a function packs it.
# What cannot be installed (no tool, no network) is said in one line, and its tests are skipped.
cd "$(dirname "$0")/.." || exit 1
from=tests/conformance/sdks
to=.cache/sdks

# changed STAMP FILE...: whether a file is newer than the stamp.
changed() {
    stamp=$1
    shift
    [ -e "$stamp" ] || return 0
    [ -n "$(find "$@" -newer "$stamp")" ]
}

missing() {
    echo "undercast: $1; the tests with AWS's SDK for $2 are skipped" >&2
}

go=$(command -v go || { [ -x .venv/bin/go ] && echo "$PWD/.venv/bin/go"; })
runtimes=tests/conformance/runtimes

go_clients() {
    if changed $to/go/.ready $from/go/* tests/e2e/go_program/*; then
        if [ -z "$go" ]; then
            missing "no go" Go
        elif mkdir -p $to/go && echo "Building the Go clients (once, about a minute) ..." &&
            (cd $from/go && "$go" build -buildvcs=false -o ../../../../$to/go/current . &&
                "$go" build -buildvcs=false -tags old -modfile=old.mod -o ../../../../$to/go/old .) &&
            (cd tests/e2e/go_program && "$go" build -buildvcs=false -o ../../../$to/go/program .); then
            touch $to/go/.ready
        else
            missing "the Go clients were not built" Go
        fi
    fi
}

cache_extension() {
    if changed $to/cache/.ready src/undercast_cache/*; then
        if [ -z "$go" ]; then
            missing "no go" Go
        elif mkdir -p $to/cache && echo "Building the cache extension (once) ..." &&
            .venv/bin/python src/undercast_cache/build.py --out $to/cache >/dev/null &&
            (cd src/undercast_cache && "$go" vet . && "$go" test -c -o ../../$to/cache/cache.test .); then
            touch $to/cache/.ready
        else
            missing "the cache extension was not built" "Go"
        fi
    fi
}

cipher_layers() {
    if changed $to/cipher/.ready examples/cipher/build.py examples/cipher/go examples/cipher/python; then
        if .venv/bin/python examples/cipher/build.py --out $to/cipher >/dev/null; then
            touch $to/cipher/.ready
        else
            missing "the layers of examples/cipher were not built" Go
        fi
    fi
}

javascript_sdk() {
    if changed $to/node/.ready $from/node/package.json $from/node/package-lock.json; then
        if ! command -v npm >/dev/null; then
            missing "no npm" JavaScript
        elif mkdir -p $to/node && echo "Installing the JavaScript SDK (once) ..." &&
            cp $from/node/package.json $from/node/package-lock.json $to/node/ &&
            (cd $to/node && npm ci --silent --no-audit --no-fund --no-progress 2>/dev/null); then
            touch $to/node/.ready
        else
            missing "npm ci failed" JavaScript
        fi
    fi
}

node_runtimes() {
    if changed $to/node-runtimes/.ready $runtimes/node/package.json $runtimes/node/package-lock.json; then
        if ! command -v npm >/dev/null; then
            missing "no npm" "JavaScript v2, and those of Node.js runtimes,"
        elif mkdir -p $to/node-runtimes && echo "Installing Node.js runtimes (once, half a minute) ..." &&
            cp $runtimes/node/package.json $runtimes/node/package-lock.json $to/node-runtimes/ &&
            (cd $to/node-runtimes && npm ci --silent --ignore-scripts --no-audit --no-fund --no-progress 2>/dev/null); then
            touch $to/node-runtimes/.ready
        else
            missing "npm ci failed" "JavaScript v2, and those of Node.js runtimes,"
        fi
    fi
}

# What users install with `undercast runtimes install`, into a home folder of the tests' own.
runtimes_of_a_user() {
    if changed $to/home/.ready src/undercast/sandbox/runtimes/install/*.py; then
        if [ ! -x .venv/bin/undercast ]; then
            missing "no .venv" "Python 2.7 to 3.9, and those of Node.js runtimes,"
        elif mkdir -p $to/home && echo "Installing runtimes with undercast runtimes install (once, a minute) ..." &&
            { [ ! -d "$HOME/.pyenv" ] || ln -sfn "$HOME/.pyenv" $to/home/.pyenv; } &&
            for runtime in nodejs22.x nodejs12.x python3.8 python2.7; do
                HOME=$PWD/$to/home .venv/bin/undercast runtimes install $runtime >/dev/null 2>&1 || break
            done && { ! command -v java >/dev/null ||
                HOME=$PWD/$to/home .venv/bin/undercast runtimes install java17 >/dev/null 2>&1; } &&
            HOME=$PWD/$to/home .venv/bin/undercast runtimes install debugpy >/dev/null 2>&1 &&
            { [ -z "$go" ] || HOME=$PWD/$to/home PATH=$PATH:$PWD/.venv/bin GOFLAGS=-modcacherw \
                .venv/bin/undercast runtimes install delve >/dev/null 2>&1; } &&
            [ -d $to/home/.cache/undercast/runtimes/sdk/python2.7 ]; then
            touch $to/home/.ready
        else
            missing "undercast runtimes install failed" "Python 2.7 to 3.9, and those of Node.js runtimes,"
        fi
    fi
}

java_sdk() {
    if changed $to/java/.ready $from/java/*; then
        if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
            missing "no mvn or javac" Java
        elif mkdir -p $to/java/jars && echo "Installing the Java SDK (once) ..." && rm -f $to/java/jars/* &&
            mvn -q -B -f $from/java/pom.xml dependency:copy-dependencies -DoutputDirectory="$PWD/$to/java/jars" >/dev/null &&
            javac -cp "$to/java/jars/*" -d $to/java $from/java/Run.java; then
            touch $to/java/.ready
        else
            missing "Maven or javac failed" Java
        fi
    fi
}

rust_extension() {
    if changed $to/rust/.ready tests/e2e/sandbox/rust_extension/Cargo.* tests/e2e/sandbox/rust_extension/src/*; then
        if ! command -v cargo >/dev/null; then
            missing "no cargo" Rust
        elif mkdir -p $to/rust && echo "Building the Rust extension (once, a minute) ..." &&
            (cd tests/e2e/sandbox/rust_extension && cargo build -q --release --locked --target-dir "../../../../$to/rust" 2>/dev/null); then
            touch $to/rust/.ready
        else
            missing "the Rust extension was not built" Rust
        fi
    fi
}

pillow() {
    lock=tests/e2e/rows/pillow/requirements.lock
    if changed $to/pillow/.ready $lock; then
        rm -rf $to/pillow
        if mkdir -p $to/pillow && echo "Installing Pillow for a function's package (once) ..." &&
            .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
                --no-compile --target $to/pillow/package -r $lock; then
            touch $to/pillow/.ready
        else
            echo "undercast: Pillow was not installed; the test of a function with it is skipped" >&2
        fi
    fi
}

# Three lanes at once: some wait for the network, some for a compiler.
(go_clients; cache_extension; cipher_layers) &
(javascript_sdk; node_runtimes; java_sdk; pillow) &
(runtimes_of_a_user; rust_extension) &
wait
exit 0
