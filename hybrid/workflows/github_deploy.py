"""`deploy.yml`: what is merged is deployed, stack by stack."""

from __future__ import annotations

from typing import Final

from hybrid.workflows import actions
from hybrid.workflows.github_steps import aws_credentials, checked_out, step_secrets
from hybrid.workflows.pipeline import DeployedStack, Pipeline, filled, quoted

GIVEN: Final = (
    "DAGSTER_CLOUD_API_TOKEN",
    "GITHUB_TOKEN",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
)
"""What every job that works with the real state gets."""

_HEAD: Final = """\
# What is merged into the branch of stacks/pipeline.yaml is deployed, one stack after the other (docs/ci.md). Each stack
# has an environment of its name, which holds its credentials, asks its reviewers and is bound to that branch. Before a
# stack is changed it is previewed again, and nothing is done when the actions differ from those in the comment.
<<note>>
name: deploy

on:
  push:
    branches: [<<branch>>]
  workflow_dispatch:
    inputs:
      stack:
        description: Only this stack
        default: ""
      accept:
        description: The digest that a stopped deploy has printed, to go on with exactly those actions
        default: ""

permissions: {}

jobs:
"""

_NONE: Final = """\
  none:
    name: Nothing to deploy
    runs-on: <<runner>>
    timeout-minutes: 5
    permissions: {}
    concurrency:
      group: deploy
      cancel-in-progress: false
    steps:
      - run: echo "::notice::No stack is deployed by CI; name some in stacks/pipeline.yaml and run hybrid ci init."
"""

_JOB: Final = """\
  deploy-<<stack>>:
    name: Deploy <<stack>>
    <<needs>>
    if: >-
      !failure() && !cancelled() && github.ref == <<ref>> &&
      (inputs.stack == '' || inputs.stack == '<<stack>>')
    runs-on: <<runner>>
    timeout-minutes: 120
    concurrency:
      group: deploy-<<stack>>
      cancel-in-progress: false
    <<approval>>
    environment: <<stack_quoted>>
    permissions:
      contents: read # the code
      id-token: write # the role that deploys
      pull-requests: read # what was reviewed
    steps:
"""

_DEPLOY: Final = """\
      - name: Deploy
        env:
          STACK: <<stack_quoted>>
          ACCEPT: ${{ inputs.accept }}
          DAGSTER_CLOUD_API_TOKEN: ${{ secrets.DAGSTER_CLOUD_API_TOKEN }}
          GITHUB_TOKEN: ${{ github.token }}
          PULUMI_ACCESS_TOKEN: ${{ secrets.PULUMI_ACCESS_TOKEN }}
          PULUMI_BACKEND_URL: ${{ vars.PULUMI_BACKEND_URL }}
          PULUMI_CONFIG_PASSPHRASE: ${{ secrets.PULUMI_CONFIG_PASSPHRASE }}
          <<secrets>>
        run: |
          : "${PULUMI_BACKEND_URL:?is missing: the environment $STACK needs it as a variable, or state begins anew}"
          <<forget>>
          further=()
          if [ -n "$ACCEPT" ]; then further=(--accept "$ACCEPT"); fi
          .venv/bin/hybrid deploy --yes --stack "$STACK" "${further[@]}"
"""


def deploy_workflow(pipeline: Pipeline) -> str:
    """A job for each stack, in order. Where none is deployed one that does nothing: a workflow has to have a job."""
    note = "" if pipeline.deploy else "# stacks/pipeline.yaml deploys no stack, or is not there: nothing is done."
    head = filled(_HEAD, branch=quoted(pipeline.branch), note=note)
    if not pipeline.deploy:
        return head + filled(_NONE, runner=actions.RUNNER)
    before: list[DeployedStack | None] = [None, *pipeline.deploy[:-1]]
    jobs = (_job(pipeline, stack, earlier) for stack, earlier in zip(pipeline.deploy, before, strict=True))
    return head + "\n".join(jobs)


def _job(pipeline: Pipeline, stack: DeployedStack, earlier: DeployedStack | None) -> str:
    secrets, forget = step_secrets(stack.secrets, GIVEN)
    values = {
        "stack": stack.name,
        "stack_quoted": quoted(stack.name),
        "needs": f"needs: deploy-{earlier.name}" if earlier else "",
        "ref": f"'refs/heads/{pipeline.branch}'",
        "runner": actions.RUNNER,
        "approval": "# waits for the environment's required reviewers, which are set there" if stack.approval else "",
        "secrets": secrets,
        "forget": forget,
    }
    return "".join((filled(_JOB, **values), checked_out(whole=True), aws_credentials(), filled(_DEPLOY, **values)))
