"""`review.yml`: what a pull request would change, said in one comment."""

from __future__ import annotations

from typing import Final

from hybrid.workflows import actions
from hybrid.workflows.github_steps import aws_credentials, checked_out, step_secrets
from hybrid.workflows.pipeline import Pipeline, filled, quoted

TRUSTED: Final = (
    "github.event.pull_request.head.repo.full_name == github.repository &&\n"
    "      github.event.pull_request.user.login != 'dependabot[bot]'"
)
"""A pull request to which GitHub gives secrets: neither from a fork nor of Dependabot."""

_HEAD: Final = """\
# What a pull request would change in each stack, said in one comment (docs/ci.md). Where no stack has a file, the
# review says that none is touched.
#
# The pull request's own code runs in `review` and `offline` alone. `review` has a role of AWS and a user of Dagster+
# that only read, and no key for secrets. The comment is written by the code of the base, from a file that is checked.
name: review

on:
  pull_request:
    branches: [<<branch>>]

permissions: {}

concurrency:
  group: review-${{ github.event.pull_request.number }}
  cancel-in-progress: true

jobs:
  review:
    name: Review
    if: >-
      <<trusted>>
    runs-on: <<runner>>
    timeout-minutes: 45
    environment: review
    permissions:
      contents: read # the code
      id-token: write # the role that reads
    outputs:
      written: ${{ steps.upload.outcome }}
    steps:
"""

_REVIEW: Final = """\
      - name: Review
        env:
          BASE: ${{ github.event.pull_request.base.sha }}
          DAGSTER_CLOUD_API_TOKEN: ${{ secrets.DAGSTER_CLOUD_API_TOKEN }}
          PULUMI_ACCESS_TOKEN: ${{ secrets.PULUMI_ACCESS_TOKEN }}
          PULUMI_BACKEND_URL: ${{ vars.PULUMI_BACKEND_URL }}
        run: |
          <<forget>>
          further=()
          if [ -z "${PULUMI_BACKEND_URL:-}" ]; then
            echo "::notice::The environment review has no variable PULUMI_BACKEND_URL: reviewed without state."
            further=(--offline)
          fi
          .venv/bin/hybrid review --base "$BASE" --output "$RUNNER_TEMP/review" --fail-on policy "${further[@]}"
      - name: Summary
        if: ${{ !cancelled() }}
        run: cat "$RUNNER_TEMP/review/review.md" >> "$GITHUB_STEP_SUMMARY"
      - id: upload
        if: ${{ !cancelled() }}
        uses: <<upload>>
        with:
          name: review
          path: ${{ runner.temp }}/review/review.json
          if-no-files-found: error
          retention-days: 14

  comment:
    name: Comment
    needs: review
    if: ${{ !cancelled() && needs.review.outputs.written == 'success' }}
    runs-on: <<runner>>
    timeout-minutes: 10
    permissions:
      contents: read # the code of the base
      pull-requests: write # the comment
    steps:
"""

_COMMENT: Final = """\
      - uses: <<download>>
        with:
          name: review
          path: ${{ runner.temp }}/review # not into the checkout: who wrote it must not say what runs
      - name: Comment
        env:
          GITHUB_TOKEN: ${{ github.token }}
          NUMBER: ${{ github.event.pull_request.number }}
        run: |
          file="$RUNNER_TEMP/review/review.json"
          if [ -L "$file" ] || [ ! -f "$file" ] || [ "$(stat -c %s "$file")" -gt 33554432 ]; then
            echo "::error::What the review left is no plain file of at most 32 MB."
            exit 1
          fi
          .venv/bin/hybrid review post "$file" --pull-request "$NUMBER"

  offline:
    name: Review without credentials
    if: >-
      !(<<trusted>>)
    runs-on: <<runner>>
    timeout-minutes: 30
    permissions:
      contents: read # the code
    steps:
"""

_OFFLINE: Final = """\
      - name: Review
        env:
          BASE: ${{ github.event.pull_request.base.sha }}
        run: .venv/bin/hybrid review --base "$BASE" --offline --output "$RUNNER_TEMP/review"
      - name: Summary
        if: ${{ !cancelled() }}
        run: cat "$RUNNER_TEMP/review/review.md" >> "$GITHUB_STEP_SUMMARY"
"""


def review_workflow(pipeline: Pipeline) -> str:
    """The merge of the pull request and its base is reviewed: what `deploy` would do after the merge."""
    _, forget = step_secrets((), ("DAGSTER_CLOUD_API_TOKEN", "PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL"))
    values = {
        "branch": quoted(pipeline.branch),
        "trusted": TRUSTED,
        "runner": actions.RUNNER,
        "upload": actions.UPLOAD,
        "download": actions.DOWNLOAD,
        "forget": forget,
    }
    base = "${{ github.event.pull_request.base.sha }}"
    return "".join(
        (
            filled(_HEAD, **values),
            checked_out(whole=True),
            aws_credentials(),
            filled(_REVIEW, **values),
            checked_out(ref=base, pulumi=False),
            filled(_COMMENT, **values),
            checked_out(whole=True),
            _OFFLINE,
        )
    )
