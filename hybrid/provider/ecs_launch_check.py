"""The ``EcsLaunchCheck`` resource: the statement that ECS will be able to launch a code location, made before an agent
is told of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hybrid.delivery.images.reference import Reference
from hybrid.provider.definition import Choice, Definition, Failure, ListOf, Number, Property, Text
from hybrid.provider.ecs_place import ACCOUNT, REGION, Doors, wrong_account
from hybrid.provider.launch_check import OUTPUTS, TRIGGERS, WHY_FIRST, LaunchCheck
from hybrid.provider.launch_images import image_problem
from hybrid.provider.properties import Properties
from hybrid.provider.resource import Call, Existing

if TYPE_CHECKING:
    from hybrid.aws.launching import Finding, Permission
    from hybrid.aws.session import Aws
    from hybrid.delivery.images.registry import Registry

ARCHITECTURE: Final = Choice(
    "EcsArchitecture",
    "The CPU architecture of a task, as ECS spells it.",
    {"X86_64": "Intel and AMD: linux/amd64", "ARM64": "Graviton: linux/arm64"},
)

DEFINITION: Final = Definition(
    name="EcsLaunchCheck",
    description="The statement that ECS can launch a code location: its image is in its registry, for the wanted "
    "architecture and to be pulled by the execution role; its secrets have a value that this role may read; its roles "
    f"exist and trust ECS. {WHY_FIRST}",
    inputs={
        "region": REGION,
        "account": ACCOUNT,
        "location": Property(Text(), "the code location's name"),
        "image": Property(Text(), "its image, by digest where it has one"),
        "architecture": Property(ARCHITECTURE, "the tasks' CPU architecture", default="X86_64"),
        "executionRoleArn": Property(Text(), "the role by which ECS pulls the image and reads secrets"),
        "taskRoleArn": Property(Text(), "the role of the code itself; default: it has none", required=False),
        "secrets": Property(ListOf(Text()), "the `valueFrom` of each of its secrets", default=[]),
        "repositoryCredentials": Property(
            Text(), "ARN of the secret with the login of a private registry outside of AWS", required=False
        ),
        "triggers": TRIGGERS,
        "settleSeconds": Property(
            Number(0, 300, whole=False), "how long what was just granted may take to count", default=30
        ),
    },
    outputs=OUTPUTS,
)  # fmt: skip

_PLATFORMS: Final = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
_POLL: Final = 3.0  # seconds


class Launching:
    """What the checks of an update share: doors to AWS and the registries."""

    def __init__(self) -> None:
        import os

        from hybrid.delivery.images.registry import Registry

        self.doors = Doors()
        self.registry = Registry(os.environ)


class EcsLaunchCheck(LaunchCheck):
    """See ``DEFINITION``."""

    definition = DEFINITION
    launcher = "ECS"
    aside = ("settleSeconds",)

    def __init__(self, launching: Launching) -> None:
        self._shared = launching

    def check(self, inputs: Properties) -> list[Failure]:
        return [*wrong_account(inputs), *super().check(inputs)]

    def create(self, inputs: Properties, call: Call) -> Existing:
        """Raises one ``NotReadyError`` with all that is wrong, and ``AwsError`` when AWS cannot be asked."""
        call.report.status("checking that it can be launched")
        deadline = time.monotonic() + inputs["settleSeconds"]
        aws = self._shared.doors.to(inputs)
        while True:
            found = _findings(aws, self._shared.registry, inputs)
            wrong = [finding for finding in found if finding.is_wrong]
            if not all(finding.settles for finding in wrong) or not wrong or time.monotonic() >= deadline:
                return self.stated(inputs, found, call)
            call.report.status(f"waiting for AWS to know what was just made: {wrong[0].what}")
            call.wait(_POLL)


def _findings(aws: Aws, registry: Registry, inputs: Properties) -> list[Finding]:
    """All that is wrong, and what could not be found out, each once."""
    from hybrid.aws import launching

    execution, account = str(inputs["executionRoleArn"]), str(inputs["account"])
    found = _image_findings(registry, inputs)
    roles = {execution, str(inputs.get("taskRoleArn") or execution)}
    of_roles = [finding for role in sorted(roles) for finding in launching.role_findings(aws, role, account)]
    needed, of_pull = _pull(aws, inputs)
    credentials = inputs.get("repositoryCredentials")
    for value_from in dict.fromkeys([*inputs["secrets"], *([credentials] if credentials else [])]):
        of_secret, permission, key = launching.secret_findings(aws, value_from)
        found += of_secret
        needed += [permission] if permission else []
        needed += [launching.key_permission(key, str(inputs["region"]))] if key.startswith("arn:") else []
    found += [*of_roles, *of_pull]
    if not any(finding.is_wrong for finding in of_roles):  # what a role that is not there may do, nobody can say
        found += launching.permission_findings(aws, execution, _once(needed))
    return list(dict.fromkeys(found))


def _image_findings(registry: Registry, inputs: Properties) -> list[Finding]:
    from hybrid.aws.launching import Finding

    wanted = _PLATFORMS[inputs["architecture"]]
    setting = "set `runtime_platform` to what it is for"
    problem = image_problem(registry, str(inputs["image"]), [wanted], "task", setting)
    return [Finding(problem.what, problem.next_step)] if problem is not None else []


def _pull(aws: Aws, inputs: Properties) -> tuple[list[Permission], list[Finding]]:
    from hybrid.aws import launching
    from hybrid.aws.registry import EcrAddress

    parsed = Reference.parse(str(inputs["image"]))
    address = EcrAddress.parse(parsed.registry)
    if address is None:
        return [], []
    partition = str(inputs["executionRoleArn"]).split(":")[1]
    permissions = launching.pull_permissions(address.region, address.account, parsed.path, partition)
    if (address.account, address.region) == (inputs["account"], inputs["region"]):
        return permissions, launching.repository_findings(aws, address.account, parsed.path)
    elsewhere = f"account {address.account} in {address.region}"
    return permissions, [
        launching.Finding(f"The repository {parsed.path} is of {elsewhere}: its own policy was not looked at.")
    ]


def _once(permissions: Sequence[Permission]) -> list[Permission]:
    return [one for index, one in enumerate(permissions) if one not in permissions[:index]]
