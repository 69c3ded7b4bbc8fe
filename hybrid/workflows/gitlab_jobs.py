"""The jobs of GitLab as templates. A job sees a variable of an environment when it names that environment, so each
credential is scoped to the one whose jobs need it
(https://docs.gitlab.com/ci/environments/#limit-the-environment-scope-of-a-cicd-variable)."""

from __future__ import annotations

from typing import Final

HEAD: Final = """\
# Reviews, deploys and drift (docs/ci.md). `.gitlab-ci.yml` includes it:
#
#   include:
#     - local: .gitlab/hybrid.yml
#
# Credentials are CI/CD variables, each scoped to one environment: review, comment, branch, drift, and one for each
# stack. Those of drift and of stacks are protected too. The merge request's own code runs in `hybrid:review`,
# `hybrid:branch` and, of a fork, `hybrid:offline`.

.hybrid:
  image: python:3.12-slim-trixie
  variables: &fresh
    GIT_STRATEGY: clone # nothing of an earlier job, whose code may have been another's
    GIT_DEPTH: "0"
  timeout: 1 hour
  before_script:
    - apt-get -qq update
    - apt-get -qq install -y --no-install-recommends curl git make docker-cli docker-buildx >/dev/null
    - git config --global --add safe.directory "$CI_PROJECT_DIR"
    - git config --global core.hooksPath /dev/null

.hybrid-aws:
  extends: .hybrid
  id_tokens:
    HYBRID_ID_TOKEN:
      aud: sts.amazonaws.com
  before_script:
    - !reference [.hybrid, before_script]
    - make tools
    - |
      # the SDKs of AWS trade the token for credentials of an hour by themselves
      if [ -n "${AWS_ROLE:-}" ]; then
        (umask 077 && printf %s "$HYBRID_ID_TOKEN" > /tmp/aws-id-token)
        export AWS_ROLE_ARN="$AWS_ROLE" AWS_WEB_IDENTITY_TOKEN_FILE=/tmp/aws-id-token
        export AWS_ROLE_SESSION_NAME="gitlab-$CI_JOB_ID"
      fi

.hybrid-docker:
  extends: .hybrid-aws
  services:
    - name: docker:28-dind
      alias: docker
  variables:
    <<: *fresh
    DOCKER_HOST: tcp://docker:2376
    DOCKER_TLS_CERTDIR: /certs
    DOCKER_TLS_VERIFY: "1"
    DOCKER_CERT_PATH: /certs/client
"""

REVIEW: Final = """\
hybrid:review:
  extends: .hybrid-aws
  stage: test
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE == "merge_request_event" &&
        $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID &&
        $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == <<branch>>
  interruptible: true
  environment:
    name: review
    action: prepare
  script:
    - |
      offline=""
      if [ -z "${PULUMI_BACKEND_URL:-}" ]; then offline=--offline; fi
      .venv/bin/hybrid review --base "$CI_MERGE_REQUEST_DIFF_BASE_SHA" --output review --fail-on policy $offline
  artifacts:
    when: always
    expire_in: 2 weeks
    access: developer
    paths:
      - review/review.json

# By the code of the base: what wrote the file does not say what becomes of it.
hybrid:comment:
  extends: .hybrid
  stage: deploy
  needs: ["hybrid:review"]
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE == "merge_request_event" &&
        $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID &&
        $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == <<branch>>
      when: always
  interruptible: true
  environment:
    name: comment
    action: prepare
  script:
    - |
      file=review/review.json
      if [ -L review ] || [ -L "$file" ] || [ ! -f "$file" ] || [ "$(stat -c %s "$file")" -gt 33554432 ]; then
        echo "What the review left is no plain file of at most 32 MB." >&2
        exit 1
      fi
      mv "$file" /tmp/review.json
      git checkout --quiet --force "$CI_MERGE_REQUEST_DIFF_BASE_SHA"
      git clean -ffdxq
      make setup
      .venv/bin/hybrid review post /tmp/review.json --pull-request "$CI_MERGE_REQUEST_IID"

# Of a fork, whose pipeline has no variables of this project.
hybrid:offline:
  extends: .hybrid
  stage: test
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE == "merge_request_event" &&
        $CI_MERGE_REQUEST_SOURCE_PROJECT_ID != $CI_MERGE_REQUEST_PROJECT_ID &&
        $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == <<branch>>
  interruptible: true
  script:
    - make tools
    - .venv/bin/hybrid review --base "$CI_MERGE_REQUEST_DIFF_BASE_SHA" --offline --output review
    - cat review/review.md
"""

BRANCH: Final = """\
hybrid:branch:
  extends: .hybrid-docker
  stage: deploy
  needs: []
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE == "merge_request_event" &&
        $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID &&
        $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == <<branch>>
  interruptible: false
  resource_group: hybrid-branch-$CI_MERGE_REQUEST_IID
  environment:
    name: branch
    action: prepare
  script:
    - .venv/bin/hybrid branch open --wait --json > branch.json
  artifacts:
    when: always
    expire_in: 2 weeks
    access: developer
    paths:
      - branch.json

# By the code of the base, as the comment.
hybrid:link:
  extends: .hybrid
  stage: deploy
  needs: ["hybrid:branch"]
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE == "merge_request_event" &&
        $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID &&
        $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == <<branch>>
      when: always
  interruptible: true
  environment:
    name: comment
    action: prepare
  script:
    - |
      if [ -L branch.json ] || [ ! -f branch.json ] || [ "$(stat -c %s branch.json)" -gt 1048576 ]; then
        echo "No branch deployment was made: there is nothing to link."
        exit 0
      fi
      name=$(python3 -I -c 'import json, sys; print(json.load(sys.stdin)["deployment"])' < branch.json)
      git checkout --quiet --force "$CI_MERGE_REQUEST_DIFF_BASE_SHA"
      git clean -ffdxq
      make setup
      .venv/bin/hybrid review link --deployment "$name" --pull-request "$CI_MERGE_REQUEST_IID"

# GitLab starts nothing when a merge request is closed: those of closed ones go with each merge, and at night.
hybrid:branch-close:
  extends: .hybrid-aws
  stage: deploy
  needs: []
  rules:
    - if: $CI_PIPELINE_SOURCE =~ /^(push|schedule)$/ && $CI_COMMIT_BRANCH == <<branch>>
  interruptible: false
  resource_group: hybrid-branch-close
  environment:
    name: branch
    action: prepare
  script:
    - .venv/bin/hybrid branch close --stale --yes
"""

NO_DEPLOY: Final = """\
# stacks/pipeline.yaml deploys no stack, or is not there: nothing is deployed.
"""

DEPLOY: Final = """\
hybrid:deploy:<<stack>>:
  extends: .hybrid-docker
  stage: deploy
  timeout: 2 hours
  <<needs>>
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE =~ /^(push|web)$/ && $CI_COMMIT_BRANCH == <<branch>> && $CI_COMMIT_REF_PROTECTED == "true"
      <<approval>>
      <<stops>>
  interruptible: false
  resource_group: hybrid-deploy-<<stack>>
  environment:
    name: <<quoted>>
  script:
    - |
      : "${PULUMI_BACKEND_URL:?is missing: its environment needs it as a variable, or state begins anew}"
      set --
      if [ -n "${ACCEPT:-}" ]; then set -- --accept "$ACCEPT"; fi
      .venv/bin/hybrid deploy --yes --stack <<quoted>> "$@"
"""

DRIFT: Final = """\
# At night, by a pipeline schedule of the branch.
hybrid:drift:
  extends: .hybrid-aws
  stage: test
  rules:
    - if: $CI_PIPELINE_SOURCE == "schedule" && $CI_COMMIT_BRANCH == <<branch>> && $CI_COMMIT_REF_PROTECTED == "true"
  interruptible: false
  resource_group: hybrid-drift
  environment:
    name: drift
    action: prepare
  script:
    - |
      if [ -z "${PULUMI_BACKEND_URL:-}" ]; then
        echo "The environment drift has no variable PULUMI_BACKEND_URL: there is no state to look at."
        exit 0
      fi
      code=0
      .venv/bin/hybrid drift --issue || code=$?
      if [ "$code" != 13 ]; then exit "$code"; fi
"""
