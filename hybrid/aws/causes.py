"""The likely causes of what stops tasks, each with what the reader does next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Cause:
    """A likely cause: ``kind`` for programs, ``what`` one sentence, ``next_step`` what the reader does now.

    ``passing``: ECS tries again by itself, and that may well do.
    """

    kind: str
    what: str
    next_step: str
    passing: bool = False


_ROUTE: Final = (
    "look at the tasks' subnets: a public one needs `assign_public_ip`, a private one a NAT gateway or interface "
    "endpoints; and at what the security group lets out."
)
_GRANT: Final = "name the secret, image or log group in the stack, so that `up` grants it to the execution role."
_WAIT: Final = "wait: ECS tries again."
_COMMAND: Final = "look at the image's entry point and command, and whether that file is there and executable."

ARCHITECTURE: Final = Cause(
    "architecture",
    "The image is for another CPU architecture than the task.",
    "build it for the one of `runtime_platform` (linux/amd64 unless told), or set that to the image's.",
)
PULL_LIMIT: Final = Cause(
    "pull limit",
    "The registry limits how many images may be pulled without a login.",
    "mirror the image to ECR, take it from public.ecr.aws, or give `repository_credentials`.",
)
DISK: Final = Cause(
    "disk",
    "The image does not fit into the task's ephemeral storage.",
    "raise `ephemeral_storage` (in GiB; Fargate gives 20 and takes up to 200), or make the image smaller.",
)
NO_ROUTE_TO_REGISTRY: Final = Cause("no route", "The task has no way to the image's registry.", _ROUTE)
PULL_PERMISSION: Final = Cause(
    "pull permission",
    "The execution role may not pull the image, or the registry wants a login.",
    f"{_GRANT} A private registry outside of AWS needs `repository_credentials`.",
)
IMAGE_MISSING: Final = Cause(
    "image missing",
    "The image is not in its registry.",
    "push it, or correct its name; by digest, it may have been removed by a lifecycle rule.",
)
PULL_BROKEN: Final = Cause("pull broken", "The pull of the image was cut.", _WAIT, passing=True)
PULL: Final = Cause("pull", "The image cannot be pulled.", "look at its name, its registry and ECS's words above.")
NO_ROUTE_TO_SECRETS: Final = Cause("no route", "The task has no way to Secrets Manager or the parameter store.", _ROUTE)
SECRET_PERMISSION: Final = Cause(
    "secret permission", "The execution role may not read a secret that the task needs.", _GRANT
)
SECRET_FORM: Final = Cause(
    "secret form",
    "A secret has not the key that is asked of it, or its ARN is not right.",
    "correct `valueFrom` (ARN:key:: names a key of a secret in JSON), or the secret.",
)
SECRET_MISSING: Final = Cause(
    "secret missing",
    "A secret that the task needs does not exist, or has no value.",
    "create it, give it a value, or correct its ARN.",
)
NO_ROUTE_TO_LOGS: Final = Cause("no route", "The task has no way to CloudWatch Logs.", _ROUTE)
LOG_GROUP_MISSING: Final = Cause(
    "log group missing", "The task's log group does not exist.", "`up` with `--refresh` makes it again."
)
LOG_PERMISSION: Final = Cause("log permission", "The execution role may not write to the task's log group.", _GRANT)
VOLUME: Final = Cause(
    "volume",
    "A volume could not be mounted.",
    "look at the file system's mount targets, its security group (port 2049) and its access point.",
)
ROLE: Final = Cause(
    "role",
    "ECS may not take on a role of the task.",
    "the role must exist and trust ecs-tasks.amazonaws.com on conditions that fit this account; one that was just made "
    "needs half a minute.",
)
PASS_ROLE: Final = Cause(
    "pass role",
    "The agent may not give a role to what it starts.",
    "name the role in the stack, so that `up` grants the agent to pass it.",
)
MEMORY: Final = Cause(
    "memory",
    "The container took more memory than it has.",
    "give it more (`server_resources`, `run_resources`, or the agent's `memory`), or have it need less.",
)
KILLED: Final = Cause("memory", "The container was killed, most often for taking too much memory.", MEMORY.next_step)
HEALTH: Final = Cause(
    "health",
    "The container ran, and its health check failed.",
    "look at its log; an agent turns healthy when it has tried to load each location once.",
)
SPOT: Final = Cause(
    "spot",
    "AWS took the Spot capacity back.",
    "wait: it is started again. What must not be interrupted goes without Spot.",
    passing=True,
)
QUOTA: Final = Cause(
    "quota",
    "A quota of the AWS account is used up.",
    "ask Service Quotas for more (Fargate vCPU, network interfaces), or end what is not needed.",
)
ADDRESSES: Final = Cause(
    "addresses",
    "The subnet has no free address.",
    "take larger subnets or more of them, or end what is not needed.",
    passing=True,
)
CAPACITY: Final = Cause(
    "capacity", "AWS has no room for the task at this moment.", "wait, or add subnets in other zones.", passing=True
)
PROVISIONING: Final = Cause(
    "provisioning", "AWS did not get the task's network interface or disk ready in time.", _WAIT, passing=True
)
DISCOVERY: Final = Cause("discovery", "The task could not be registered in Cloud Map.", _WAIT, passing=True)
SIZE: Final = Cause(
    "size", "Fargate has no such pair of CPU and memory.", "take a pair of Fargate's table of task sizes."
)
START: Final = Cause("start", "The container's program could not be started.", _COMMAND)
CRASH: Final = Cause(
    "crash", "The program crashed (segmentation fault).", "look at its log and at its native libraries."
)
AWS_FAULT: Final = Cause("aws", "AWS itself had a fault.", _WAIT, passing=True)
VARIABLE: Final = Cause(
    "variable missing",
    "The program needs an environment variable that the task does not have.",
    "name it among the launcher's `env` or `secrets`.",
)
WRONG_TOKEN: Final = Cause(
    "wrong token",
    "Dagster+ does not accept the agent's token.",
    "look whether it was revoked, and whether its grants name this deployment; `hybrid agent rotate-token STACK` makes "
    "another.",
)
SETTINGS: Final = Cause(
    "settings", "Dagster refuses a setting in the agent's dagster.yaml.", "correct `hybrid:agent` as the log says."
)
GRANT: Final = Cause(
    "grant",
    "The program's own role lacks a permission in AWS.",
    "grant the task's role the action that the log names.",
)
NO_ROUTE_TO_DAGSTER: Final = Cause("no route", "The task has no way to Dagster+.", _ROUTE)
IMPORT: Final = Cause(
    "import", "The code imports what its image does not have.", "add it to the location's requirements."
)
ENDED: Final = Cause("ended", "The container's program ended by itself.", "look at its log.")
UNKNOWN: Final = Cause("unknown", "ECS does not say why.", "look at the task and its service in the ECS console.")
