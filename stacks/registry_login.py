"""The login by which a cluster's nodes pull a stack's images, as this machine's docker has it."""

from __future__ import annotations

import base64
import json
import os

from hybrid.aws.registry import EcrAddress
from hybrid.delivery.images.login import Logins
from hybrid.delivery.images.reference import HUB
from hybrid.errors import SettingsError

_HUB_KEY = "https://index.docker.io/v1/"  # github.com/docker/cli, cli/registry/client


def docker_config(registry: str) -> str:
    """A Docker ``config.json`` with the one login of ``registry`` (host, and port if it has one): a secret.

    Raises ``SettingsError`` when there is none, or one that lapses before a node needs it again; ``LoginRefused`` when
    docker's settings or a credential helper cannot be read.
    """
    if EcrAddress.parse(registry) is not None:
        raise _lapses(registry, "AWS gives logins of ECR for twelve hours.", "give the nodes' role the right to pull")
    login = Logins(os.environ).of(registry)
    if login is None:
        raise SettingsError(
            f"This machine has no login for {registry}.",
            why="`hybrid:kubernetes.registryLogin` is true, so nodes are to pull images with it.",
            next_step=f"`docker login {registry}`, or remove `registryLogin` and name a Secret in `imagePullSecrets`.",
        )
    if login.is_identity:
        raise _lapses(
            registry, "It is a token that docker renews by itself, and a node cannot.", "use a token of a user"
        )
    given = base64.b64encode(f"{login.user}:{login.password.reveal()}".encode()).decode()
    key = _HUB_KEY if registry == HUB else registry
    return json.dumps({"auths": {key: {"auth": given}}}, separators=(",", ":"))


def _lapses(registry: str, why: str, instead: str) -> SettingsError:
    return SettingsError(
        f"The login for {registry} lapses, and pods that start later could not pull their image.",
        why=why,
        next_step=f"{instead}, or remove `hybrid:kubernetes.registryLogin` and name a Secret in `imagePullSecrets`.",
    )
