"""`drift.yml`: what somebody changed by hand, looked for at night."""

from __future__ import annotations

from typing import Final

from hybrid.workflows import actions
from hybrid.workflows.github_deploy import GIVEN
from hybrid.workflows.github_steps import aws_credentials, checked_out, step_secrets
from hybrid.workflows.pipeline import Pipeline, filled, quoted

_HEAD: Final = """\
# What really stands, in AWS and in Dagster+, against what was deployed, every night: one issue, opened or updated
# (docs/ci.md). The environment `drift` has a role and a user that only read, and is bound to the branch that deploys.
<<note>>
name: drift

on:
  schedule:
    - cron: "17 3 * * *"
  workflow_dispatch:

permissions: {}

concurrency:
  group: drift
  cancel-in-progress: false

jobs:
  drift:
    name: Drift
    # a schedule is of the default branch, which need not be the one that deploys: that one is checked out
    if: github.event_name == 'schedule' || github.ref == <<ref>>
    runs-on: <<runner>>
    timeout-minutes: 60
    environment: drift
    permissions:
      contents: read # the code
      id-token: write # the role that reads
      issues: write # the issue
    steps:
"""

_DRIFT: Final = """\
      - name: Drift
        env:
          DAGSTER_CLOUD_API_TOKEN: ${{ secrets.DAGSTER_CLOUD_API_TOKEN }}
          GITHUB_TOKEN: ${{ github.token }}
          PULUMI_ACCESS_TOKEN: ${{ secrets.PULUMI_ACCESS_TOKEN }}
          PULUMI_BACKEND_URL: ${{ vars.PULUMI_BACKEND_URL }}
          PULUMI_CONFIG_PASSPHRASE: ${{ secrets.PULUMI_CONFIG_PASSPHRASE }}
          <<secrets>>
        run: |
          if [ -z "$PULUMI_BACKEND_URL" ]; then
            echo "::notice::The environment drift has no variable PULUMI_BACKEND_URL: there is no state to look at."
            exit 0
          fi
          <<forget>>
          code=0
          .venv/bin/hybrid drift --issue || code=$?
          # 13 is drift, of which the issue tells; whatever else is that it could not be looked at
          if [ "$code" != 13 ]; then exit "$code"; fi
"""


def drift_workflow(pipeline: Pipeline) -> str:
    """All stacks in one job: there is one issue."""
    secrets, forget = step_secrets(pipeline.drift_secrets, GIVEN)
    values = {
        "note": "" if pipeline.deploy else "# Until the environment has PULUMI_BACKEND_URL, nothing is done.",
        "ref": f"'refs/heads/{pipeline.branch}'",
        "runner": actions.RUNNER,
        "secrets": secrets,
        "forget": forget,
    }
    ref = quoted(pipeline.branch)
    return "".join(
        (filled(_HEAD, **values), checked_out(ref=ref, whole=True), aws_credentials(), filled(_DRIFT, **values))
    )
