"""What the stack file says of stored asset values: where they lie, whether code finds them there by itself, and who
writes them there from Serverless."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Final

from pydantic import StringConstraints, field_validator, model_validator

from agent.any_spec import AnyAgentSpec, Spec
from stacks.aws_settings import BucketName, Region, RoleArn
from stacks.azure_settings import AccountName, ContainerName

ASSETS: Final = "assets"
"""Where in a bucket stored values lie unless the settings say otherwise, and where code of an ECS stack may write."""

WRITER: Final = "stored-values"
"""What the role of `writer` is for, which its name says: `<name>-stored-values`."""

Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!_'()=@,-][A-Za-z0-9!_.'()=@,/-]*$", max_length=512)]
Folder = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$", max_length=4096)]
EndpointUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@?#]+/?$", max_length=512)]
ExternalId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+=,.@:/-]+$", min_length=8, max_length=1224)]

_SESSION: Final = re.compile(r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([^/]+)/.+")


class WriterSettings(Spec):
    """A task on Serverless that may write stored values into the stack's bucket for a while, to copy them."""

    principal: RoleArn
    """The role of the task on Serverless; the job that `hybrid assets job` makes prints it."""

    external_id: ExternalId
    """What the task has to say when it takes the role, 8 characters or more, of your own choice: another customer of
    Serverless, whose tasks may have the same role, does not know it."""

    until: date
    """The last day on which it works, as `2026-12-31` (UTC). After it `up` and `preview` ask for the setting to be
    taken out, which removes the role."""

    @field_validator("principal", mode="before")
    @classmethod
    def _no_session(cls, value: object) -> object:
        """`sts get-caller-identity` answers so, and a session ends."""
        if isinstance(value, str) and (session := _SESSION.fullmatch(value)):
            partition, account, role = session.groups()
            raise ValueError(
                f"it is a session, which ends with its task; write the role: arn:{partition}:iam::{account}:role/{role}"
            )
        return value


class AssetValueSettings(Spec):
    """Where stored asset values lie that no IO manager of the team's own takes elsewhere."""

    io_manager: bool = False
    """Whether code servers and runs of this stack store and load there, by environment variables that the agent's side
    alone sets: assets without an IO manager of their own then load what was copied, with no edit of code. Default
    false; turn it on before the switch from Serverless, together with `dagster-asset-values` among the locations'
    requirements (`hybrid assets library`). Code of branch deployments is not told: it would write over these values."""

    bucket: BucketName | None = None
    """The bucket. Default on ECS: the stack's own; elsewhere none. On Kubernetes code reaches it by the role that its
    service account names (`kubernetes.codeAccount.annotations`)."""

    account: AccountName | None = None
    """A storage account of Azure, with `container`, instead of a bucket: for code elsewhere than in an Azure stack,
    such as pods with a workload identity. An Azure stack has its own (`azure.storage`). Default: none."""

    container: ContainerName | None = None
    """The blob container of that `account`. Default: none."""

    prefix: Prefix = ASSETS
    """Where in the bucket, without slashes at its ends. Default `assets`; in the stack's own bucket it is that or below
    it, where code may write."""

    region: Region | None = None
    """The bucket's region. Default on ECS: the stack's; elsewhere what the machine is set to."""

    endpoint: EndpointUrl | None = None
    """The address of another store that speaks S3. Default: AWS's own."""

    folder: Folder | None = None
    """A folder instead of a bucket, absolute: of this machine for a local agent; in the containers for the others, and
    there on a volume that all of them share. Default: none."""

    writer: WriterSettings | None = None
    """A role in the stack's account for a copy that runs on Serverless, and that ends by itself. Only on ECS, and with
    the stack's own bucket. Default: none."""

    @property
    def _folder_if_given(self) -> set[str]:
        return set() if self.folder is None else {"folder"}

    @field_validator("prefix")
    @classmethod
    def _is_plain(cls, prefix: str) -> str:
        if any(part in {"", ".", ".."} for part in prefix.split("/")):
            raise ValueError("write it like `assets` or `assets/prod`, without slashes at its ends and without `..`")
        return prefix

    @model_validator(mode="after")
    def _one_place(self) -> AssetValueSettings:
        of_bucket = sorted(self.model_fields_set & {"bucket", "prefix", "region", "endpoint"})
        if (self.account is None) != (self.container is None):
            raise ValueError("`account` and `container` belong together; give both, or neither")
        if self.container is not None and (strange := sorted((set(of_bucket) - {"prefix"}) | self._folder_if_given)):
            raise ValueError(f"`container` and {', '.join(f'`{name}`' for name in strange)} exclude each other")
        if self.folder is not None and of_bucket:
            raise ValueError(f"`folder` and {', '.join(f'`{name}`' for name in of_bucket)} exclude each other")
        return self

    def refuse_elsewhere(self, agent: AnyAgentSpec, *, own_bucket: str | None) -> None:
        """Raises ``ValueError`` for what ``agent`` cannot do. ``own_bucket`` is the name in `hybrid:aws.storage`, if
        there is one."""
        has_bucket = agent.makes_bucket
        others = self.folder is not None or self.endpoint is not None or self.bucket not in {None, own_bucket}
        if self.container is not None and has_bucket:
            raise ValueError(
                f"an agent of kind `{agent.kind}` stores in a place of the stack's own; remove `container`"
            )
        if self.io_manager and not has_bucket and not (self.bucket or self.container or self.folder):
            raise ValueError(
                f"an agent of kind `{agent.kind}` has no bucket of its own; give `bucket`, `container` or `folder`"
            )
        if self.io_manager and not agent.needs_images and agent.branch_deployments:
            raise ValueError(
                "code of branch deployments would write over these values: it has the environment of the one agent; "
                "leave them to another stack (`agent.branchDeployments`), or let `ioManager` be false"
            )
        if self.writer is not None and (not has_bucket or others):
            raise ValueError(
                "`writer` is for the stack's own bucket on ECS, with no other `bucket`, `endpoint` or `folder` named"
            )
        if has_bucket and not others and self.prefix != ASSETS and not self.prefix.startswith(f"{ASSETS}/"):
            raise ValueError(
                f"code of the stack writes below `{ASSETS}` of its bucket alone: let `prefix` be `{ASSETS}` or below it"
            )
