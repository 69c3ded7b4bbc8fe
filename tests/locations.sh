#!/bin/sh
# Runs the tests of each code location in an environment of its own, made from its lock: locations do not share
# dependencies, and no test of one may lean on what another one has. Names of folders choose; without any it is all.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE
uv=.venv/bin/uv
failed=
[ $# -gt 0 ] || set -- $(cd locations && ls -d -- */ | tr -d /)
for name in "$@"; do
    folder=locations/$name
    environment=.hybrid/test-locations/$name
    made_from=$(cksum "$folder/requirements.lock")
    if [ "$(cat "$environment/.made-from" 2>/dev/null)" != "$made_from" ]; then
        $uv venv --quiet --clear --no-project --python .venv/bin/python "$environment"
        $uv pip sync --quiet --require-hashes --compile-bytecode --python "$environment/bin/python" "$folder/requirements.lock"
        $uv pip install --quiet --python "$environment/bin/python" "pytest>=9,<10"
        printf '%s' "$made_from" >"$environment/.made-from"
    fi
    echo "== $name"
    (cd "$folder" && "../../$environment/bin/python" -m pytest -q -p no:cacheprovider) || failed="$failed $name"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
