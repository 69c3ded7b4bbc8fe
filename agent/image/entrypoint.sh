#!/bin/sh
# Starts the agent with its token, which is a file of this container and never part of its configuration.
set -eu

token_file="${HYBRID_AGENT_TOKEN_FILE:-/run/secrets/dagster-agent-token}"
if ! [ -r "$token_file" ]; then
    echo "The agent's token is not there: $token_file cannot be read. Put the token into that file." >&2
    exit 78
fi
DAGSTER_CLOUD_AGENT_TOKEN="$(cat "$token_file")"
if [ -z "$DAGSTER_CLOUD_AGENT_TOKEN" ]; then
    echo "The agent's token is not there: $token_file is empty. Put the token into that file." >&2
    exit 78
fi
export DAGSTER_CLOUD_AGENT_TOKEN

# Signs of life of an earlier start of this container would make a dead agent look healthy.
mkdir -p "$DAGSTER_CLOUD_AGENT_SENTINEL_DIR"
rm -f "$DAGSTER_CLOUD_AGENT_SENTINEL_DIR"/*_sentinel.txt

exec "$@"
