"""The parts of an ECS agent's settings: sizes of tasks, volumes, checks, an adopted namespace."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from agent.any_spec import Spec
from agent.proxy import DomainName
from hybrid.aws.fargate import EPHEMERAL_GIB, size_problem

SecretArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+(:[^:\s]*){0,3}$",
        max_length=2048,
    ),
]
RoleArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$", max_length=2048)
]
NamespaceId = Annotated[str, StringConstraints(pattern=r"^ns-[a-z0-9]{8,64}$")]
VolumeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
ContainerPath = Annotated[str, StringConstraints(pattern=r"^/[^\x00:]*$", max_length=4096)]
FileSystemId = Annotated[str, StringConstraints(pattern=r"^fs-[0-9a-f]{8,40}$")]
AccessPointId = Annotated[str, StringConstraints(pattern=r"^fsap-[0-9a-f]{8,40}$")]

ARCHITECTURES: Final = {"amd64": "X86_64", "arm64": "ARM64"}
"""By Docker's word, that of ECS."""


class TaskSize(Spec):
    """What a task may use. Fargate has certain pairs of cpu and memory only."""

    cpu: int = 256
    """Processor units, of which 1024 are one vCPU. Default 256, as Dagster recommends."""

    memory_mib: int = 1024
    """Memory in MiB. Default 1024, as Dagster recommends: a code server takes about 140 before it loads anything."""

    ephemeral_storage_gib: int | None = Field(default=None, ge=EPHEMERAL_GIB[0], le=EPHEMERAL_GIB[1])
    """Scratch disk in GiB, 21 to 200. Default: the 20 that come without asking."""

    @model_validator(mode="after")
    def _is_one_of_fargates(self) -> TaskSize:
        if problem := size_problem(self.cpu, self.memory_mib):
            raise ValueError(problem)
        return self

    def launcher(self) -> dict[str, Any]:
        """As the launcher reads it: texts, but for the disk."""
        said: dict[str, Any] = {"cpu": str(self.cpu), "memory": str(self.memory_mib)}
        if self.ephemeral_storage_gib is not None:
            said["ephemeral_storage"] = self.ephemeral_storage_gib
        return said


class ServerSize(TaskSize):
    """What each code server may use."""

    replicas: int = Field(default=1, ge=1, le=10)
    """How many tasks serve one location. Default 1: the agent asks one, and starts another when it is gone."""

    def launcher(self) -> dict[str, Any]:
        return {**super().launcher(), "replica_count": self.replicas}


class Volume(Spec):
    """A folder of code servers and runs: of an EFS file system, or scratch that containers of one task share."""

    name: VolumeName
    """The volume's name, once in a task."""

    mount_path: ContainerPath
    """Where code finds it."""

    file_system_id: FileSystemId | None = None
    """The EFS file system. It must let in the group of code on port 2049. Default: a scratch folder of the task."""

    root_directory: ContainerPath | None = None
    """The folder of the file system. Default: its root; with an access point that one decides."""

    access_point_id: AccessPointId | None = None
    """An EFS access point."""

    iam: bool = False
    """Whether EFS asks IAM who comes: then the role of code needs `elasticfilesystem:ClientMount`, given by
    `hybrid:aws.codePolicyArns`. Default false: who reaches the file system may use it."""

    read_only: bool = False
    """Whether code may only read there. Default false."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Volume:
        if self.file_system_id is None and (self.root_directory or self.access_point_id or self.iam):
            raise ValueError("`rootDirectory`, `accessPointId` and `iam` belong to a `fileSystemId`; name one")
        if self.access_point_id and self.root_directory not in {None, "/"}:
            raise ValueError("an access point has its own root; remove `rootDirectory`")
        return self

    def volume(self) -> dict[str, Any]:
        """As a task definition has it."""
        if self.file_system_id is None:
            return {"name": self.name}
        said: dict[str, Any] = {"fileSystemId": self.file_system_id, "transitEncryption": "ENABLED"}
        if self.root_directory is not None:
            said["rootDirectory"] = self.root_directory
        authorization = {"accessPointId": self.access_point_id} if self.access_point_id else {}
        if self.iam:
            authorization["iam"] = "ENABLED"
        if authorization:
            said["authorizationConfig"] = authorization
        return {"name": self.name, "efsVolumeConfiguration": said}

    def mount_point(self) -> dict[str, Any]:
        """As a container of it has it."""
        return {"sourceVolume": self.name, "containerPath": self.mount_path, "readOnly": self.read_only}


class ServerHealthCheck(Spec):
    """By what ECS sees that a code server is unwell, and starts another task in its place."""

    command: tuple[str, ...] = Field(min_length=1)
    """A program and its arguments, run in the code's container; exit code 0 is well."""

    interval_seconds: int = Field(default=60, ge=5, le=300)
    """How often, in seconds. Default 60."""

    timeout_seconds: int = Field(default=20, ge=2, le=60)
    """How long it may take, in seconds. Default 20: on a quarter of a vCPU Python itself takes some."""

    retries: int = Field(default=3, ge=1, le=10)
    """How many in a row must fail. Default 3."""

    start_period_seconds: int = Field(default=300, ge=0, le=300)
    """How long failures after the start do not count, in seconds. Default 300, the most that ECS allows."""

    def launcher(self) -> dict[str, Any]:
        """As a container has it."""
        return {
            "command": ["CMD", *self.command],
            "interval": self.interval_seconds,
            "timeout": self.timeout_seconds,
            "retries": self.retries,
            "startPeriod": self.start_period_seconds,
        }


class AdoptedNamespace(Spec):
    """A private DNS namespace of Cloud Map that is there, in which code servers get their names."""

    id: NamespaceId
    """Its id."""

    name: DomainName
    """Its name. Resolvers of the network must know it."""

    role_arn: RoleArn | None = None
    """A role that the agent takes for its calls of Cloud Map, when the namespace is another account's. That account has
    to trust the agent's role. Then the agent itself registers tasks there, which ECS cannot. Default: none."""

    reconcile_seconds: int = Field(default=300, ge=10, le=3600)
    """How often the agent compares such a namespace with what runs, in seconds. Default 300, which is Dagster's own: a
    task that ECS replaced is not found for so long. Less costs more calls."""


ContainerInsights = Literal["disabled", "enabled", "enhanced"]
ComputeLogs = Literal["dagster-plus", "bucket", "off"]
