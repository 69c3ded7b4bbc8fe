"""What the stack file says of AWS: the account, and the network, bucket, repositories and roles that an ECS stack
stands up or is given."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from agent.any_spec import LocationName, Spec

Account = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$")]
Arn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:\S+$", max_length=2048)]
RoleArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/\S+$", max_length=2048)]
PolicyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/\S+$")]
KeyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/\S+$")]
Cidr = Annotated[str, StringConstraints(pattern=r"^[0-9.]{7,15}/[0-9]{1,2}$")]
VpcId = Annotated[str, StringConstraints(pattern=r"^vpc-[0-9a-f]{8,17}$")]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}[a-z]$")]
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
RoleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+=,.@-]{1,64}$")]
BaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]


class CreatedNetwork(Spec):
    """A network that the stack makes and owns."""

    kind: Literal["create"] = "create"
    """`create`: the stack makes it. The others adopt one that is there."""

    cidr: Cidr = "10.80.0.0/16"
    """Its addresses. Default 10.80.0.0/16, seldom in use elsewhere; choose another if it is to be peered with one that
    overlaps."""

    zones: int = Field(default=2, ge=2, le=3)
    """In how many availability zones it has subnets. Default 2: a zone may fail, and each further NAT gateway costs."""

    zone_names: tuple[Zone, ...] = ()
    """Which zones. Default: the first ones of the region."""

    tasks: Literal["private", "public"] = "private"
    """Where agent and code run. Default private, behind NAT; public gives each task an address of its own, which takes
    no connections, and saves the NAT gateway."""

    nat: Literal["one", "per-zone", "none"] | None = None
    """NAT gateways. Default: one for private tasks, none for public ones. A failed zone may take the one way out with
    it; `per-zone` does not have that, and costs as much again for each zone. `none` for private tasks only with a proxy
    or a private link to Dagster+, mirrored images, and the endpoints that AWS needs then."""

    endpoints: tuple[str, ...] = ()
    """Interface endpoints by short name (`ecr.api`, `logs`, `secretsmanager`, …), each billed by the hour and zone.
    That for S3 is always there and free. Default: none."""

    private_link: str | None = Field(default=None, pattern=r"^com\.amazonaws\.[a-z0-9.-]+\.vpce-svc-[0-9a-f]+$")
    """The endpoint service by which Dagster+ is reached inside the network; Dagster tells its name. Give the address
    that leads to it as `hybrid:url`."""

    egress: tuple[Cidr, ...] = ()
    """Addresses that tasks may reach. Default: all."""

    @property
    def gateways(self) -> Literal["one", "per-zone", "none"]:
        """``nat``, decided."""
        return self.nat or ("one" if self.tasks == "private" else "none")


class NetworkByIds(Spec):
    """A network that is there, by ids."""

    kind: Literal["ids"]
    """`ids`: adopted by ids."""

    vpc_id: VpcId
    """The VPC."""

    subnet_ids: tuple[SubnetId, ...] = Field(min_length=1)
    """Subnets for agent and code, in two zones or more."""

    assign_public_ip: bool
    """Whether tasks get an address of their own: true in public subnets, false in private ones. It is never guessed."""


class NetworkByTags(Spec):
    """A network that is there, found by its tags."""

    kind: Literal["tags"]
    """`tags`: found by tags."""

    vpc_tags: dict[str, str] = Field(min_length=1)
    """Tags that exactly one VPC has."""

    subnet_tags: dict[str, str] = Field(min_length=1)
    """Tags of the subnets for agent and code."""

    assign_public_ip: bool
    """Whether tasks get an address of their own: true in public subnets, false in private ones. It is never guessed."""


class NetworkOfStack(Spec):
    """A network that another Pulumi stack made."""

    kind: Literal["stack"]
    """`stack`: read from another stack's outputs."""

    stack: str = Field(min_length=1)
    """The stack's full name, such as `acme/network/prod`."""

    vpc_id_output: str = "vpcId"
    """The output with the VPC's id."""

    subnet_ids_output: str = "privateSubnetIds"
    """The output with the subnets' ids."""

    assign_public_ip: bool
    """Whether tasks get an address of their own: true in public subnets, false in private ones. It is never guessed."""


def _kind(value: Any) -> str:
    kind = value.get("kind", "create") if isinstance(value, dict) else getattr(value, "kind", "create")
    return str(kind)


NetworkSettings = Annotated[
    Annotated[CreatedNetwork, Tag("create")]
    | Annotated[NetworkByIds, Tag("ids")]
    | Annotated[NetworkByTags, Tag("tags")]
    | Annotated[NetworkOfStack, Tag("stack")],
    Discriminator(
        _kind,
        custom_error_type="network_kind",
        custom_error_message="`kind` is `create`, `ids`, `tags` or `stack`",
    ),
]


class StorageSettings(Spec):
    """The bucket for asset values and the output of steps."""

    name: BucketName | None = None
    """Its name, one of all in AWS. Default: `<name>-<account>-<region>`."""

    key_arn: KeyArn | None = None
    """An own KMS key to encrypt it with. Default: S3's own keys, which cost nothing."""

    old_version_days: int = Field(default=30, ge=1, le=3650)
    """How long overwritten and deleted objects can be brought back, in days. Default 30."""

    compute_log_days: int | None = Field(default=90, ge=1, le=3650)
    """How long the output of steps is kept, in days. Default 90; null keeps it for ever."""

    keep: bool = True
    """Whether `down` leaves the bucket. Default true: it has the team's data."""


class RepositorySettings(Spec):
    """The ECR repositories: one for each code location."""

    untagged_days: int = Field(default=14, ge=1, le=3650)
    """After how many days untagged layers expire. Default 14. Nothing that has a tag ever expires by age; `hybrid
    locations sweep` removes what nobody uses."""

    key_arn: KeyArn | None = None
    """An own KMS key to encrypt them with. Default: AWS's own."""

    keep: bool = True
    """Whether `down` leaves repositories that hold images. Default true: images of a rollback are in them."""


class CiSettings(Spec):
    """A role that CI takes by its OIDC identity, with no credential that lasts."""

    github: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
    """The repository whose workflows may push images: `organization/repository`."""

    branch: str | None = "main"
    """The branch whose workflows may. Default main; null when `environment` is given."""

    environment: str | None = None
    """The GitHub environment whose jobs may, instead of a branch."""

    provider_arn: Arn | None = None
    """GitHub's OIDC provider in the account, of which there can be one only. Default: the stack makes it."""

    reviews: bool = False
    """Whether there is a role `<name>-review` that only reads, for jobs in the GitHub environment `review`, which run
    the code of pull requests. Default false."""

    review_role: RoleName | None = None
    """The name of such a role that another stack of this account made; what this stack needs is added to it, as one
    job reviews all stacks. Default: none."""

    drift: bool = False
    """Whether there is a role `<name>-drift` that only reads, the value of the agent's token among it, for jobs in the
    GitHub environment `drift`, which run the code of the deployed branch. Default false."""

    drift_role: RoleName | None = None
    """The name of such a role that another stack of this account made, as `reviewRole`. Default: none."""

    state_bucket: BucketName | None = None
    """The S3 bucket with Pulumi's state, which both may read. Default: state is kept elsewhere."""

    state_key_arn: KeyArn | None = None
    """The KMS key that encrypts the objects in that bucket. Default: S3's own keys."""

    secrets_key_arn: KeyArn | None = None
    """The KMS key that `secretsprovider` of the stack file names; the role for drift decrypts with it, the one for
    reviews never does. Default: there is none, but a passphrase."""

    @model_validator(mode="after")
    def _one_subject(self) -> CiSettings:
        if self.environment is None and self.branch is None:
            raise ValueError("give a `branch` or an `environment`; any branch would be anybody who can push one")
        if self.environment in {"review", "drift"}:
            raise ValueError(
                f"the environment `{self.environment}` is of jobs that only read; let another one push images"
            )
        if (self.reviews and self.review_role) or (self.drift and self.drift_role):
            raise ValueError("give `reviews` or `reviewRole`, and `drift` or `driftRole`: one role reads for a job")
        return self


class AlarmSettings(Spec):
    """Who is told when the agent is down, runs out of memory or its tasks stop."""

    topic_arn: Arn | None = None
    """An SNS topic that is there. Default: the stack makes one for `emails`."""

    emails: tuple[Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = ()
    """Addresses that are written to; each has to confirm once."""

    @model_validator(mode="after")
    def _somebody_is_told(self) -> AlarmSettings:
        if (self.topic_arn is None) == (not self.emails):
            raise ValueError("give either `topicArn` or `emails`")
        return self


class LocationRole(Spec):
    """A task role for one code location's servers and runs, in place of the one that all share."""

    policy_arns: tuple[PolicyArn, ...] = ()
    """Managed policies that it gets."""

    prefixes: tuple[str, ...] | None = None
    """Which prefixes of the bucket it may read and write. Default: `assets/`, as all."""


class AwsSettings(Spec):
    """Where in AWS an ECS stack stands, and what it makes there."""

    account: Account
    """The account's twelve digits. Credentials of another one are refused before anything is asked of it."""

    region: Region
    """The region of all that the stack makes."""

    name: BaseName | None = None
    """What names in AWS begin with. Default: `hybrid-<stack>`. Another one means other resources."""

    network: NetworkSettings = Field(default_factory=CreatedNetwork)
    """The network: made by default, or adopted."""

    storage: StorageSettings = Field(default_factory=StorageSettings)
    """The bucket."""

    repositories: RepositorySettings = Field(default_factory=RepositorySettings)
    """The ECR repositories; there are none when `hybrid:registry` names another registry."""

    log_retention_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653] = 30
    """How long CloudWatch keeps the logs of agent, code servers and runs, in days. Default 30."""

    log_key_arn: KeyArn | None = None
    """An own KMS key for the logs. Default: CloudWatch's own."""

    secret_key_arn: KeyArn | None = None
    """An own KMS key for the agent token's secret. Default: `aws/secretsmanager`."""

    tags: dict[str, str] = Field(default_factory=dict)
    """Tags on everything, also on what the agent makes. Default: the stack's own tag alone."""

    permissions_boundary: PolicyArn | None = None
    """A permissions boundary for every role. Default: none."""

    role_path: Annotated[str, StringConstraints(pattern=r"^/([A-Za-z0-9_.,+@=-]+/)*$")] = "/"
    """The IAM path of every role. Default /."""

    code_policy_arns: tuple[PolicyArn, ...] = ()
    """Managed policies that user code gets, beside its part of the bucket. Default: none."""

    location_roles: dict[LocationName, LocationRole] = Field(default_factory=dict)
    """Locations that get a task role of their own. Default: all share one, which is not the agent's."""

    ci: CiSettings | None = None
    """A role for CI. Default: none."""

    alarms: AlarmSettings | None = None
    """Who is told of trouble. Default: nobody."""

    @field_validator("tags")
    @classmethod
    def _are_ours(cls, tags: dict[str, str]) -> dict[str, str]:
        for key in tags:
            if key.lower().startswith("aws:") or key.startswith("dagster"):
                raise ValueError(f"tags that begin with `aws:` or `dagster` are not yours to give: {key}")
        if len(tags) > 30:
            raise ValueError("AWS allows 50 on a thing, some of which are the agent's: give 30 at most")
        return tags
