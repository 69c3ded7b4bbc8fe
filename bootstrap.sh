#!/bin/sh
# Makes .venv what requirements.lock and pyproject.toml say, with a Python that is already here and uv, which is got
# from the package registry that this machine's pip uses. `make setup` runs it; it ends at once when nothing changed.
# The stamp is written last: what was interrupted is taken up again.
set -eu
cd "$(dirname "$0")"
unset PYTHONDONTWRITEBYTECODE

stamp=.venv/.made-from
locks=requirements.lock
has_azure_stack() {  # by the shell alone: where nothing has changed no tool is needed
    for file in stacks/Pulumi.*.yaml; do
        [ -f "$file" ] || continue
        while IFS= read -r line || [ -n "$line" ]; do
            case ${line%%#*} in
                *'kind: azure'* | *'kind: "azure"'* | *"kind: 'azure'"*) return 0 ;;
            esac
        done <"$file"
    done
    return 1
}

# `./bootstrap.sh azure` once, and from then on without it: what a stack needs is not taken away by the next lock
wants_azure() {  # a job of CI starts with nothing, and nobody there says it: the stacks do
    [ "${1:-}" = azure ] || [ -e .hybrid/with-azure ] || { [ -n "${CI:-}" ] && has_azure_stack; }
}
if wants_azure "${1:-}"; then
    locks="$locks requirements-azure.lock"
fi
# shellcheck disable=SC2086
made_from=$({ cat $locks pyproject.toml bootstrap.sh; pwd; } | cksum)
if [ -x .venv/bin/python ] && [ -x .venv/bin/hybrid ] && [ "$(cat "$stamp" 2>/dev/null)" = "$made_from" ]; then
    exit 0
fi

say() { echo "setup: $*" >&2; }
stop() { say "$*"; exit 1; }

in_range() {  # pyenv's shims exist for versions that are not chosen: asking is the only way to know
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1
}

find_python() {
    for name in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3; do
        if in_range "$name"; then
            command -v "$name"
            return
        fi
    done
    stop "Python 3.11, 3.12 or 3.13 is needed and $(python3 --version 2>/dev/null || echo 'no python3') is what is here;" \
        "install one (as python3.11, say), or name it: make setup PYTHON=/path/to/python3.12"
}

new_enough() {  # uv 0.9 or newer
    case "$("$1" --version 2>/dev/null)" in
        "uv 0."[0-8].*) return 1 ;;
        "uv "[0-9]*) return 0 ;;
        *) return 1 ;;
    esac
}

is_this_checkouts() {  # programs in a virtual environment hold its path: a moved checkout needs a new one
    in_range .venv/bin/python || return 1
    [ ! -e .venv/bin/hybrid ] || grep -qF -e "$PWD/.venv/" -e "$(pwd -P)/.venv/" .venv/bin/hybrid
}

use_the_registry_of_pip() {  # uv does not read pip's settings; what is set for uv itself wins
    if [ -n "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}${UV_INDEX:-}" ] || [ -e /etc/uv/uv.toml ] ||
        [ -e "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml" ]; then
        return
    fi
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || true)}
    if [ -n "$index" ]; then
        export UV_DEFAULT_INDEX="$index"
    fi
}

find_uv() {
    for candidate in uv .venv/bin/uv .hybrid/bootstrap/bin/uv; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    say "getting uv"
    rm -rf .hybrid/bootstrap
    mkdir -p -m 700 .hybrid  # a passphrase is kept there later
    log=.hybrid/bootstrap.log
    if ! { "$1" -m venv .hybrid/bootstrap && .hybrid/bootstrap/bin/python -m pip install 'uv>=0.9'; } >"$log" 2>&1; then
        # Debian's python3 comes without venv; its pip may be there all the same
        "$1" -m pip install --target .hybrid/bootstrap 'uv>=0.9' >>"$log" 2>&1 || {
            tail -n 5 "$log" >&2
            stop "uv could not be got with $1 (the whole story is in $log); check the package registry that pip uses," \
                "on Debian and Ubuntu install python3-venv, or put uv on PATH; then run the command again"
        }
    fi
    rm -f "$log"
    echo .hybrid/bootstrap/bin/uv
}

rm -f "$stamp"
if is_this_checkouts; then
    python=.venv/bin/python
else
    python=$(find_python)
    rm -rf .venv
fi
uv=$(find_uv "$python")
use_the_registry_of_pip
say "making .venv with $("$python" --version), about a minute the first time"
if [ ! -e .venv ]; then
    "$uv" venv --quiet --no-project --python "$python" .venv
fi
# shellcheck disable=SC2086
"$uv" pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode $locks
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
if [ "$locks" != requirements.lock ]; then
    mkdir -p -m 700 .hybrid
    : >.hybrid/with-azure
fi
printf '%s' "$made_from" >"$stamp.new"
mv "$stamp.new" "$stamp"
say "done"
