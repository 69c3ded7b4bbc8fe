"""Where an organization's API and agent API live."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass
from typing import Final, Literal

from hybrid.errors import SettingsError
from hybrid.redaction import redact

Region = Literal["us", "eu"]

_SAAS: Final = "dagster.cloud"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Endpoint:
    """One deployment of one organization, and the address it is spoken to at.

    ``url`` is the base without deployment and trailing slash. Dagster+ itself is ``https://{org}.dagster.cloud`` or, in
    the European region, ``https://{org}.eu.dagster.cloud``; its agents' API is ``https://{org}.agent.dagster.cloud``
    and ``https://{org}.agent.eu.dagster.cloud`` (``dagster_cloud/instance/__init__.py``: ``dagit_url`` and
    ``dagster_cloud_url`` put the region's label there; https://docs.dagster.io/deployment/dagster-plus/management/dagster-ips
    names the European agents' host). Any other address is an own one (the embedded emulator, a proxy) and serves both.

    What people paste is understood: a trailing slash, ``/graphql``, the deployment's name, the agents' host,
    ``https://dagster.cloud/{org}``. Raises ``SettingsError`` for an address that cannot be meant.
    """

    url: str
    organization: str
    deployment: str

    def __post_init__(self) -> None:
        for what, name in (("organization", self.organization), ("deployment", self.deployment)):
            if not _NAME.fullmatch(name):
                raise SettingsError(
                    f"'{redact(name)}' cannot be a Dagster+ {what}.",
                    why="Such a name has letters, digits, dashes and underscores only.",
                    next_step=f"take the {what}'s name from Dagster+'s address: https://ORGANIZATION.{_SAAS}/DEPLOYMENT.",
                )
        object.__setattr__(self, "url", _base(self.url, self.organization, self.deployment))

    @classmethod
    def of(cls, organization: str, deployment: str, *, region: Region = "us", url: str | None = None) -> Endpoint:
        """The organization's endpoint in ``region``, or at ``url`` when one is given."""
        return cls(url or _saas(organization, "eu" if region == "eu" else None), organization, deployment)

    @property
    def is_saas(self) -> bool:
        """Whether this is Dagster+ itself, not an own address."""
        return _is_saas(self._host)

    @property
    def is_loopback(self) -> bool:
        """Whether the address is on this machine."""
        return self._host in _LOOPBACK

    @property
    def region(self) -> str | None:
        """``us``, ``eu``, or None for an own address."""
        if not self.is_saas:
            return None
        return _labels(self._host)[1] or "us"

    @property
    def agent_url(self) -> str:
        """What an agent gets as ``dagster_cloud_api.url``."""
        if not self.is_saas:
            return self.url
        organization, region = _labels(self._host)
        return f"https://{organization}.agent.{region + '.' if region else ''}{_SAAS}"

    @property
    def page(self) -> str:
        """The deployment's first page, for people."""
        return f"{self.url}/{self.deployment}" if self.is_saas else self.url

    @property
    def deployment_graphql(self) -> str:
        """Where calls about the deployment go. Dagster+ takes the deployment from the path, as the installed command
        line does (``dagster_cloud_cli/gql.py: url_from_config``); an own address from the header alone."""
        return f"{self.url}/{self.deployment}/graphql" if self.is_saas else f"{self.url}/graphql"

    @property
    def organization_graphql(self) -> str:
        """Where calls about the whole organization go: the same address without a deployment."""
        return f"{self.url}/graphql"

    @property
    def _host(self) -> str:
        return urllib.parse.urlsplit(self.url).hostname or ""


def _saas(organization: str, region: str | None) -> str:
    return f"https://{organization}.{region + '.' if region else ''}{_SAAS}"


def _is_saas(host: str) -> bool:
    return host == _SAAS or host.endswith(f".{_SAAS}")


def _labels(host: str) -> tuple[str, str | None]:
    """Organization and region of Dagster+'s host; the ``agent`` label is dropped."""
    labels = [label for label in host.removesuffix(_SAAS).split(".") if label and label != "agent"]
    if labels == ["eu"]:
        return "", "eu"
    return (labels[0] if labels else ""), (labels[1] if len(labels) > 1 else None)


def _base(url: str, organization: str, deployment: str) -> str:
    parts = _split(url)
    segments = [segment for segment in parts.path.split("/") if segment]
    while segments and segments[-1] in ("graphql", deployment):
        segments.pop()
    host = parts.hostname or ""
    if _is_saas(host):
        return _saas_base(host, segments, organization, deployment)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, "/".join(["", *segments]), "", ""))


def _saas_base(host: str, segments: list[str], organization: str, deployment: str) -> str:
    named, region = _labels(host)
    if not named and segments:
        named = segments.pop(0)
    if named and named != organization.lower() and named != organization:
        raise SettingsError(
            f"The address is organization '{named}', the settings say '{organization}'.",
            why=f"Everything would have gone to {named}.",
            next_step="correct the organization or the url in the stack file (or DAGSTER_CLOUD_URL).",
        )
    if segments:
        raise SettingsError(
            f"The address names deployment '{segments[0]}', the settings say '{deployment}'.",
            next_step="correct the deployment or the url in the stack file (or DAGSTER_CLOUD_URL).",
        )
    return _saas(organization, region)


def _split(url: str) -> urllib.parse.SplitResult:
    next_step = f"give an address such as https://ORGANIZATION.{_SAAS} or http://127.0.0.1:3000."
    try:
        parts = urllib.parse.urlsplit(url.strip())
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise SettingsError("The url of Dagster+ is not an address.", next_step=next_step) from None
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            "The url of Dagster+ holds a user or password.",
            why="Addresses are printed and logged; a secret in one does not stay secret.",
            next_step="take it out of the url and set DAGSTER_CLOUD_API_TOKEN instead.",
        )
    if not is_address or any(character.isspace() for character in url.strip()):
        raise SettingsError(f"'{redact(url)}' is not an address of Dagster+.", next_step=next_step)
    if parts.query or parts.fragment:
        raise SettingsError("The url of Dagster+ has a query or a fragment.", next_step=next_step)
    return parts
