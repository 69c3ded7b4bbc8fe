"""A proxy to the outside, as agents of every cloud are told of it. Pure."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import StringConstraints

from agent.any_spec import Spec

ProxyUrl = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$")]
DomainName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.?){1,20}$")]

PROXY_VARIABLES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
"""By which a proxy is told to agent, code servers and runs."""

_NEVER: Final = ("169.254.169.254", "localhost", "127.0.0.1")
"""Where the machine itself answers, in every cloud."""


class Proxy(Spec):
    """By which way agent, code servers and runs reach Dagster+ and the cloud."""

    url: ProxyUrl
    """The proxy's address, without a login: it is in plain text in the settings of every container."""

    except_for: tuple[DomainName, ...] = ()
    """Further names that are reached directly. The platform's own addresses and code servers always are."""

    @property
    def to_dagster_plus(self) -> dict[str, str]:
        """As `dagster_cloud_api.proxies` of ``dagster.yaml`` has it."""
        return {"http": self.url, "https": self.url}

    def environment(self, *direct: str) -> dict[str, str]:
        """``direct``: what the platform and code servers are reached by, which a proxy knows nothing of. In capitals
        alone: gRPC reads the small ones, and would ask the proxy for code servers."""
        never = ",".join((*direct, *_NEVER, *self.except_for))
        return {"HTTP_PROXY": self.url, "HTTPS_PROXY": self.url, "NO_PROXY": never}
