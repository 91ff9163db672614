#!/usr/bin/env bash
# Makes .venv with .venv/bin/onhook; `setup.sh bench` adds the peers that bench/ compares with. A fresh
# Debian 12 with python3, git and make is enough. Does only what is missing: a second run takes a moment.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
say() { printf 'setup: %s\n' "$*" >&2; }

# Debian packages: what each gives, and its name. baresip-core is baresip without its graphical front end.
find_missing() {
    missing=()
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    command -v sipp >/dev/null || missing+=(sip-tester)
    command -v baresip >/dev/null || missing+=(baresip-core)
    command -v linphonec >/dev/null || missing+=(linphone-cli)
    command -v rtpengine >/dev/null || missing+=(rtpengine-daemon)
    command -v kamailio >/dev/null || missing+=(kamailio)
    command -v tcpdump >/dev/null || missing+=(tcpdump)
}
find_missing

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

if [ ${#missing[@]} -gt 0 ]; then
    if may_install; then
        say "installing Debian packages: ${missing[*]}"
        as_root apt-get update -qq || say "apt-get update failed; trying with the lists that are there"
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
            say "apt-get install failed"
    fi
    find_missing
    if [ ${#missing[@]} -gt 0 ]; then
        say "missing: ${missing[*]}. Run: sudo apt-get install -y ${missing[*]}"
        case " ${missing[*]} " in
        *" python3-venv "*) exit 1 ;; # without it there is no .venv at all
        esac
        if [ -n "${CI:-}" ]; then
            say "in CI every test must run, so this is a failure"
            exit 1
        fi
        say "going on; tests that need it will fail and name it"
    fi
fi

"$PYTHON" - <<'CHECK' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"setup: Python 3.11 or newer is needed, this is {sys.version.split()[0]}. Run: make setup PYTHON=python3.11")
CHECK

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    say "making .venv"
    rm -rf .venv
    "$PYTHON" -m venv .venv
fi

pip() {
    .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"
}

# Runs a command unless the files it depends on are as they were when it last succeeded.
unless_done() { # unless_done STAMP FILE… -- COMMAND…
    local stamp=.venv/.$1 files=() wanted
    shift
    while [ "$1" != -- ]; do
        files+=("$1")
        shift
    done
    shift
    wanted=$(cat "${files[@]}" | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
        "$@"
        echo "$wanted" >"$stamp"
    fi
}

install_locked() {
    say "installing the packages of $1"
    # --no-build-isolation: what builds them is in the lock too, so that nothing unlocked is ever fetched
    pip install --require-hashes --no-deps --no-build-isolation -r "$1"
}

install_onhook() {
    pip install --no-deps --no-build-isolation --editable .
    # without --quiet, which hides what is wrong
    .venv/bin/python -m pip check >&2 || { say "the lock files do not fit pyproject.toml: run make lock"; return 1; }
}

unless_done dev locks/dev.txt -- install_locked locks/dev.txt
unless_done onhook locks/dev.txt pyproject.toml -- install_onhook
if [ "${1:-}" = bench ]; then
    unless_done bench locks/bench.txt -- install_locked locks/bench.txt
fi
.venv/bin/onhook version >/dev/null
