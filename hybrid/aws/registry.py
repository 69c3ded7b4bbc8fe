"""Logins to ECR, as AWS gives them for twelve hours."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from hybrid.aws.errors import AwsError
from hybrid.aws.session import Aws
from hybrid.redaction import Token

# docs.aws.amazon.com/general/latest/gr/ecr.html; FIPS, China and the sovereign cloud of Europe have names of their own
_ADDRESS: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu)"
)


@dataclass(frozen=True)
class EcrAddress:
    """A private registry of ECR."""

    account: str
    region: str

    @classmethod
    def parse(cls, registry: str) -> EcrAddress | None:
        """From a registry's host name; None for every other registry, public.ecr.aws among them."""
        found = _ADDRESS.fullmatch(registry)
        return cls(found["account"], found["region"]) if found else None


def ecr_login(address: EcrAddress) -> tuple[str, Token]:
    """User and password for ``address``, for twelve hours. Whether they may push or pull a repository is a matter of
    policies, not of this. Raises ``AwsError``."""
    aws = Aws(address.region)
    with aws.doing(f"log in to the registry of account {address.account} in {address.region}"):
        given = aws.ecr.get_authorization_token()["authorizationData"]
    if not given:
        raise AwsError("ECR gave no login.", next_step="run the same command again.")
    user, _, password = base64.b64decode(given[0]["authorizationToken"]).decode().partition(":")
    return user, Token(password)
