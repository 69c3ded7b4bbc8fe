"""The table of likely causes against texts as ECS and agents are known to print them. Only an account shows whether AWS
still words them so; what no pattern knows is called unknown, with AWS's own words beside it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hybrid.aws import causes, stops
from hybrid.aws.services import NEVER
from hybrid.aws.tasks import Container, Task

pytestmark = pytest.mark.unit

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/hello"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hybrid/agent-token-AbCdEf"
NO_RESOURCES = "ResourceInitializationError: unable to pull secrets or registry auth: "


def container(**more):
    return Container(**({"name": "dagster", "status": "STOPPED", "health": "UNKNOWN", "image": IMAGE, "exit_code": None,
                         "reason": ""} | more))  # fmt: skip


STOPPED = Task(
    arn="arn:aws:ecs:eu-central-1:123456789012:task/c/0123", group="service:s", started_by="ecs-svc/1",
    task_definition="arn:aws:ecs:eu-central-1:123456789012:task-definition/f:7", status="STOPPED",
    desired_status="STOPPED", health="UNKNOWN", cpu="256", memory="1024", created=NEVER, started=None, stopped=NEVER,
    stop_code="TaskFailedToStart", stopped_reason="", containers=(container(),), tags={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (f"CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain "
         f"descriptor matching platform 'linux/amd64' for {IMAGE}", causes.ARCHITECTURE),
        ("CannotPullContainerError: inspect image has been retried 5 time(s): httpReadSeeker: failed open: unexpected "
         "status code https://registry-1.docker.io/v2/x: 429 Too Many Requests - toomanyrequests: You have reached "
         "your pull rate limit", causes.PULL_LIMIT),
        ("CannotPullContainerError: failed to extract layer: write /var/lib: no space left on device", causes.DISK),
        (f"CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {IMAGE}:1: "
         f"failed to do request: Head https://{IMAGE}: dial tcp: i/o timeout", causes.NO_ROUTE_TO_REGISTRY),
        (f"{NO_RESOURCES}The task cannot pull registry auth from Amazon ECR: There is a connection issue between the "
         "task and Amazon ECR. Check your task network configuration.", causes.NO_ROUTE_TO_REGISTRY),
        (f"{NO_RESOURCES}execution resource retrieval failed: unable to retrieve ecr registry auth: service call has "
         "been retried 3 time(s): RequestError: send request failed", causes.NO_ROUTE_TO_REGISTRY),
        (f"{NO_RESOURCES}execution resource retrieval failed: unable to retrieve ecr registry auth: service call has "
         "been retried 1 time(s): AccessDeniedException: User: arn is not authorized to perform: "
         "ecr:GetAuthorizationToken on resource: *", causes.PULL_PERMISSION),
        (f"CannotPullContainerError: pull access denied for {IMAGE}, repository does not exist or may require "
         "authorization: authorization failed: no basic auth credentials", causes.PULL_PERMISSION),
        (f"CannotPullContainerError: unexpected status from HEAD request to {IMAGE}: 403 Forbidden",
         causes.PULL_PERMISSION),
        (f"CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref {IMAGE}:9: "
         f"{IMAGE}:9: not found", causes.IMAGE_MISSING),
        ("CannotPullContainerError: unexpected EOF", causes.PULL_BROKEN),
        ("CannotPullContainerError: something new", causes.PULL),
        (f"{NO_RESOURCES}The task cannot pull secrets from AWS Secrets Manager. There is a connection issue between "
         "the task and AWS Secrets Manager. Check your task network configuration.", causes.NO_ROUTE_TO_SECRETS),
        (f"{NO_RESOURCES}execution resource retrieval failed: unable to retrieve secret from asm: service call has "
         f"been retried 1 time(s): failed to fetch secret {SECRET} from secrets manager: AccessDeniedException: "
         f"not authorized to perform: secretsmanager:GetSecretValue on resource: {SECRET}", causes.SECRET_PERMISSION),
        (f"{NO_RESOURCES}execution resource retrieval failed: unable to retrieve secret from asm: service call has "
         f"been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key password",
         causes.SECRET_FORM),
        (f"{NO_RESOURCES}execution resource retrieval failed: unable to retrieve secret from asm: "
         "ResourceNotFoundException: Secrets Manager can't find the specified secret.", causes.SECRET_MISSING),
        (f"{NO_RESOURCES}unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid "
         "parameters: /acme/x", causes.SECRET_MISSING),
        ("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
         "to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
         causes.LOG_GROUP_MISSING),
        ("ResourceInitializationError: failed to validate logger args: AccessDeniedException: not authorized to "
         "perform: logs:CreateLogStream", causes.LOG_PERMISSION),
        ("ResourceInitializationError: failed to validate logger args: RequestError: send request failed caused by: "
         "dial tcp 1.2.3.4:443: i/o timeout : exit status 1", causes.NO_ROUTE_TO_LOGS),
        ("ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: mount.nfs4: timed "
         "out", causes.VOLUME),
        ("ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x' that was provided for this task.",
         causes.ROLE),
        ("User is not authorized to perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/x",
         causes.PASS_ROLE),
        ("OutOfMemoryError: Container killed due to memory usage", causes.MEMORY),
        ("Task failed container health checks", causes.HEALTH),
        ("Your Spot Task was interrupted.", causes.SPOT),
        ("You've reached the limit on the number of vCPUs you can run concurrently", causes.QUOTA),
        ("Unexpected EC2 error while attempting to Create Network Interface with public IP assignment disabled in "
         "subnet 'subnet-1': InsufficientFreeAddressesInSubnet", causes.ADDRESSES),
        ("Capacity is unavailable at this time. Please try again later or in a different availability zone",
         causes.CAPACITY),
        ("Timeout waiting for network interface provisioning to complete.", causes.PROVISIONING),
        ("The Service Discovery instance could not be registered.", causes.DISCOVERY),
        ("No Fargate configuration exists for given values: 300 CPU, 1024 memory", causes.SIZE),
        ("CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI "
         "runtime create failed: exec: \"nope\": executable file not found in $PATH", causes.START),
        ("DockerTimeoutError: Could not transition to started; timed out after waiting 4m0s", causes.AWS_FAULT),
    ],
)  # fmt: skip
def test_a_reason_of_ecs_has_its_likely_cause(reason, cause):
    assert stops.likely_cause(replace(STOPPED, stopped_reason=reason)) is cause
    by_container = replace(STOPPED, stopped_reason="Task failed to start", containers=(container(reason=reason),))
    assert stops.likely_cause(by_container) is cause, "ECS may say it of the container"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("exec /usr/local/bin/dagster: exec format error", causes.ARCHITECTURE),
        ('You have attempted to fetch the environment variable "DAGSTER_CLOUD_AGENT_TOKEN" which is not set.',
         causes.VARIABLE),
        ("requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://acme.agent.dagster.cloud/x",
         causes.WRONG_TOKEN),
        ("dagster._core.errors.DagsterInvalidConfigError: Errors whilst loading configuration", causes.SETTINGS),
        ("botocore.exceptions.ClientError: An error occurred (AccessDeniedException) when calling CreateService",
         causes.GRANT),
        ("HTTPSConnectionPool(host='acme.agent.dagster.cloud', port=443): Max retries exceeded with url: /graphql",
         causes.NO_ROUTE_TO_DAGSTER),
        ("ModuleNotFoundError: No module named 'pandas'", causes.IMPORT),
    ],
)  # fmt: skip
def test_where_ecs_says_only_that_it_ended_the_log_tells(line, cause):
    ended = replace(STOPPED, stop_code="EssentialContainerExited", stopped_reason="Essential container in task exited",
                    containers=(container(exit_code=1),))  # fmt: skip
    assert stops.likely_cause(ended, ["starting", line, "bye"]) is cause
    sick = replace(STOPPED, stopped_reason="Task failed container health checks")
    assert stops.likely_cause(sick, [line]) is cause, "a failing health check is a symptom"


@pytest.mark.parametrize(
    ("code", "cause"), [(137, causes.KILLED), (127, causes.START), (139, causes.CRASH), (1, causes.ENDED)]
)
def test_without_words_the_exit_code_tells(code, cause):
    ended = replace(STOPPED, stopped_reason="Essential container in task exited",
                    containers=(container(name="sidecar", exit_code=0), container(exit_code=code)))  # fmt: skip
    assert stops.likely_cause(ended) is cause
    assert stops.exits_of(ended) == f"sidecar ended with 0, dagster ended with {code}"


def test_what_says_nothing_is_unknown():
    assert stops.likely_cause(STOPPED) is causes.UNKNOWN


@pytest.mark.parametrize(
    ("code", "reason", "failed"),
    [
        ("TaskFailedToStart", "CannotPullContainerError: x", True),
        ("EssentialContainerExited", "Essential container in task exited", True),
        ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", False),
        ("ServiceSchedulerInitiated", "Task failed container health checks", True),
        ("UserInitiated", "Task stopped by user", False),
        ("SpotInterruption", "Your Spot Task was interrupted.", True),
    ],
)
def test_a_stop_that_was_wanted_is_no_failure(code, reason, failed):
    assert stops.has_failed(replace(STOPPED, stop_code=code, stopped_reason=reason)) is failed


def test_a_task_that_runs_has_not_failed():
    assert not stops.has_failed(replace(STOPPED, status="RUNNING", desired_status="RUNNING"))


def test_every_cause_says_what_to_do():
    listed = [value for value in vars(causes).values() if isinstance(value, causes.Cause)]
    assert len(listed) > 30
    for cause in listed:
        assert cause.what.endswith("."), cause
        assert cause.next_step.endswith("."), cause
