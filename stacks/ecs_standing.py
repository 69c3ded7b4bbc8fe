"""What of an ECS stack's things is in AWS before the program runs: what an earlier `down` kept is taken up again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from agent.ecs_names import STACK_TAG, EcsNames
from hybrid.aws.session import Aws
from infra import standing
from infra.keeping import Adoption, Standing, adoption


@dataclass(frozen=True)
class Kept:
    """How each is taken up; None or absent: it is made."""

    bucket: Adoption | None = None
    repositories: Mapping[str, Adoption] = field(default_factory=dict)
    """By the repository's name."""
    secret: Adoption | None = None


def look(names: EcsNames, bucket: str, repositories: Sequence[str], tags: Mapping[str, str]) -> Kept:
    """Asks AWS, all questions at once. ``tags``: those of the stack, its own among them.

    Raises ``AwsError`` for credentials that are missing, expired or of another account, ``SettingsError`` for a thing
    of a wanted name that is not this stack's.
    """
    door = Aws(names.region, names.account)
    door.check_account()
    with door.doing("look for what the stack left"), ThreadPoolExecutor(4) as pool:
        asked_bucket = pool.submit(standing.bucket, door.s3, bucket, names.account, names.region)
        asked_repositories = pool.submit(_repositories, door, repositories)
        asked_secret = pool.submit(standing.secret, door.secrets, names.token_secret)
        stands = pool.submit(standing.role_stands, door.iam, names.role("agent")).result()
        found = asked_repositories.result()

        def taken(what: str, thing: Standing | None) -> Adoption | None:
            return adoption(what, thing, tags, STACK_TAG, stack_stands=stands)

        taken_up = {name: taken("repository", thing) for name, thing in found.items()}
        return Kept(
            bucket=taken("bucket", asked_bucket.result()),
            repositories={name: how for name, how in taken_up.items() if how is not None},
            secret=taken("secret", asked_secret.result()),
        )


def _repositories(door: Aws, names: Sequence[str]) -> Mapping[str, Standing]:
    return standing.repositories(door.ecr, names) if names else {}
