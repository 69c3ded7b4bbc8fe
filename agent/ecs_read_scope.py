"""What the policies of CI's reading roles are narrowed to. Names stand in for ids and ARNs wherever AWS allows it, so
that they are known before anything is made."""

from __future__ import annotations

from dataclasses import dataclass

from agent.ecs_names import EcsNames
from infra.place import Place
from infra.statements import Conditions


@dataclass(frozen=True)
class ReadScope:
    """What the statements are narrowed to."""

    names: EcsNames
    bucket: str
    """The name of the stack's bucket."""
    agent_role_arn: str
    """The role of the agent's task."""
    role_arns: tuple[str, ...]
    """All of the stack's roles, this one among them."""
    cluster: str
    """The name of the ECS cluster."""
    repositories_elsewhere: tuple[str, ...] = ()
    """ARNs of repositories that are not the stack's and have images that it runs."""
    state_bucket: str | None = None
    """The name of the S3 bucket with Pulumi's state; None: state is kept elsewhere."""
    state_key_arn: str | None = None
    """The KMS key that encrypts the objects in that bucket, if it is not S3's own."""
    secrets_key_arn: str | None = None
    """The KMS key that `secretsprovider` of the stack file names; only who looks for drift uses it."""
    token_key_arn: str | None = None
    """The KMS key of the secret with the agent's token, if it is not AWS's own."""

    @property
    def place(self) -> Place:
        return Place(self.names.account, self.names.region, self.names.partition)

    @property
    def token_secret(self) -> str:
        """With any of the six characters that AWS adds."""
        return self.names.arn("secretsmanager", f"secret:{self.names.token_secret}-??????")

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.names.partition}:s3:::{self.bucket}"

    @property
    def by_s3(self) -> str:
        """What ``kms:ViaService`` is when S3 uses a key; the state may lie in another region than the stack."""
        return f"s3.*.{self.place.domain}"

    @property
    def repositories(self) -> str:
        return self.names.arn("ecr", f"repository/{self.names.base}/*")

    @property
    def here(self) -> Conditions:
        """For actions that take no resource: in the stack's region alone."""
        return {"StringEquals": {"aws:RequestedRegion": self.names.region}}
