"""`branch.yml`: a branch deployment for each pull request."""

from __future__ import annotations

from typing import Final

from hybrid.workflows import actions
from hybrid.workflows.github_review import TRUSTED
from hybrid.workflows.github_steps import aws_credentials, checked_out, step_secrets
from hybrid.workflows.pipeline import Pipeline, filled, quoted

_HEAD: Final = """\
# A branch deployment for each pull request of this repository (docs/ci.md). It is made by the pull request's own code,
# in the environment `branch`, whose token may change branch deployments and no other. The comment leads to it, and it
# goes when the pull request is closed, both by the code of the base; what was missed goes at night.
name: branch deployment

on:
  pull_request:
    branches: [<<branch>>]
    types: [opened, synchronize, reopened, closed]
  schedule:
    - cron: "41 2 * * *"

permissions: {}

jobs:
  open:
    name: Open
    if: >-
      github.event_name == 'pull_request' && github.event.action != 'closed' &&
      <<trusted>>
    runs-on: <<runner>>
    timeout-minutes: 60
    # an image that is half pushed is taken up by the next one
    concurrency:
      group: branch-${{ github.event.pull_request.number }}
      cancel-in-progress: false
    environment:
      name: branch
      url: ${{ steps.open.outputs.url }}
    outputs:
      deployment: ${{ steps.open.outputs.deployment }}
    permissions:
      contents: read # the code
      id-token: write # the role that pushes images
      pull-requests: read # whether a newer commit is there
    steps:
"""

_OPEN: Final = """\
      - name: Open
        id: open
        env:
          DAGSTER_CLOUD_API_TOKEN: ${{ secrets.DAGSTER_CLOUD_API_TOKEN }}
          GITHUB_TOKEN: ${{ github.token }}
          <<secrets>>
        run: |
          <<forget>>
          # what does not load is a branch deployment all the same: it is linked, and the job fails
          code=0
          .venv/bin/hybrid branch open --wait --json > "$RUNNER_TEMP/branch.json" || code=$?
          if [ -s "$RUNNER_TEMP/branch.json" ]; then
            for key in url deployment; do
              value=$(.venv/bin/python -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' \\
                "$key" < "$RUNNER_TEMP/branch.json")
              printf '%s=%s\\n' "$key" "$value" >> "$GITHUB_OUTPUT"
            done
          fi
          exit "$code"

  link:
    name: Link
    needs: open
    if: ${{ !cancelled() && needs.open.outputs.deployment != '' }}
    runs-on: <<runner>>
    timeout-minutes: 10
    concurrency:
      group: branch-link-${{ github.event.pull_request.number }}
      cancel-in-progress: false
    permissions:
      contents: read # the code of the base
      pull-requests: write # the comment
    steps:
"""

_LINK: Final = """\
      - name: Link
        env:
          GITHUB_TOKEN: ${{ github.token }}
          NUMBER: ${{ github.event.pull_request.number }}
          DEPLOYMENT: ${{ needs.open.outputs.deployment }}
          RESULT: ${{ needs.open.result }}
        run: |
          loaded=--not-loaded
          if [ "$RESULT" = success ]; then loaded=--loaded; fi
          .venv/bin/hybrid review link --deployment "$DEPLOYMENT" "$loaded" --pull-request "$NUMBER"

  close:
    name: Close
    if: >-
      github.event_name == 'pull_request' && github.event.action == 'closed' &&
      <<trusted>>
    runs-on: <<runner>>
    timeout-minutes: 20
    concurrency:
      group: branch-${{ github.event.pull_request.number }}
      cancel-in-progress: false
    environment: branch
    permissions:
      contents: read # the code of the base
      id-token: write # the role that removes images
      pull-requests: write # whether it was merged, and the word in the comment that it is gone
    steps:
"""

_CLOSE: Final = """\
      - name: Close
        env:
          DAGSTER_CLOUD_API_TOKEN: ${{ secrets.DAGSTER_CLOUD_API_TOKEN }}
          GITHUB_TOKEN: ${{ github.token }}
        run: |
          .venv/bin/hybrid branch close
          .venv/bin/hybrid review link --closed

  stale:
    name: Close what was missed
    if: github.event_name == 'schedule'
    runs-on: <<runner>>
    timeout-minutes: 30
    concurrency:
      group: branch-stale
      cancel-in-progress: false
    environment: branch
    permissions:
      contents: read # the code
      id-token: write # the role that removes images
      pull-requests: read # which are closed
    steps:
"""

_STALE: Final = """\
      - name: Close
        env:
          DAGSTER_CLOUD_API_TOKEN: ${{ secrets.DAGSTER_CLOUD_API_TOKEN }}
          GITHUB_TOKEN: ${{ github.token }}
        run: .venv/bin/hybrid branch close --stale --yes
"""


def branch_workflow(pipeline: Pipeline) -> str:
    """Its own head is opened, not the merge with the base: what the pull request's author has."""
    secrets, forget = step_secrets(pipeline.branch_secrets, ("DAGSTER_CLOUD_API_TOKEN", "GITHUB_TOKEN"))
    values = {
        "branch": quoted(pipeline.branch),
        "trusted": TRUSTED,
        "runner": actions.RUNNER,
        "secrets": secrets,
        "forget": forget,
    }
    return "".join(
        (
            filled(_HEAD, **values),
            checked_out(ref="${{ github.event.pull_request.head.sha }}", whole=True),
            aws_credentials(),
            filled(_OPEN, **values),
            checked_out(ref="${{ github.event.pull_request.base.sha }}", pulumi=False),
            filled(_LINK, **values),
            checked_out(ref="${{ github.event.pull_request.base.sha }}", whole=True),
            aws_credentials(),
            filled(_CLOSE, **values),
            checked_out(ref=quoted(pipeline.branch), whole=True),
            aws_credentials(),
            _STALE,
        )
    )
