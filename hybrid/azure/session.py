"""The way to one subscription of Azure."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from hybrid.azure.errors import not_installed, refused, unasked

if TYPE_CHECKING:
    from azure.mgmt.appcontainers import ContainerAppsAPIClient

ARM: Final = "https://management.azure.com"
_SECONDS: Final = 30


class Azure:
    """The door to one subscription. A login is found as Azure's tools find it (``DefaultAzureCredential``: the
    environment, a workload's identity, ``az login``), and only when something is asked.

    ``endpoint`` and ``credential`` are for tests. Safe for threads.
    """

    def __init__(
        self, subscription: str, tenant: str | None = None, *, endpoint: str = ARM, credential: Any = None
    ) -> None:
        self.subscription = subscription
        self.tenant = tenant
        self._endpoint = endpoint
        self._given = credential
        self._lock = threading.RLock()

    @cached_property
    def credential(self) -> Any:
        """What signs requests. Raises ``ToolchainError`` without Azure's libraries."""
        if self._given is not None:
            return self._given
        try:
            from azure.identity import DefaultAzureCredential
        except ModuleNotFoundError:
            raise not_installed() from None
        logging.getLogger("azure.identity").setLevel(logging.ERROR)  # our error says it, once
        return DefaultAzureCredential(additionally_allowed_tenants=[self.tenant] if self.tenant else [])

    @cached_property
    def container_apps(self) -> ContainerAppsAPIClient:
        """Azure's own client for container apps and jobs."""
        try:
            from azure.mgmt.appcontainers import ContainerAppsAPIClient
        except ModuleNotFoundError:
            raise not_installed() from None
        return ContainerAppsAPIClient(
            self.credential, self.subscription, base_url=self._endpoint, credential_scopes=[self._scope]
        )

    def get(self, path: str, api_version: str, *, doing: str) -> Mapping[str, Any]:
        """What Azure Resource Manager says of ``path``, which begins with a slash. Raises ``AzureError``."""
        return self._send("GET", path, api_version, doing)

    def listed(self, path: str, api_version: str, *, doing: str) -> list[Mapping[str, Any]]:
        """All of a list, page by page. Raises ``AzureError``."""
        found: list[Mapping[str, Any]] = []
        answer = self._send("GET", path, api_version, doing)
        while True:
            found.extend(answer.get("value") or ())
            following = answer.get("nextLink")
            if not isinstance(following, str) or not following.startswith(f"{self._endpoint}/"):
                return found
            answer = self._send("GET", following.removeprefix(self._endpoint), None, doing)

    def token(self, scope: str, *, doing: str) -> str:
        """An access token for another service of Azure, such as a registry. Raises ``AzureError``."""
        with self.doing(doing):
            options = {"tenant_id": self.tenant} if self.tenant else {}
            return str(self.credential.get_token(scope, **options).token)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Turns azure-core's errors into ours. ``what`` completes "Azure refused to …"."""
        try:
            from azure.core.exceptions import AzureError as Fault
            from azure.core.exceptions import HttpResponseError
        except ModuleNotFoundError:
            raise not_installed() from None
        try:
            yield
        except HttpResponseError as error:
            if error.status_code is None:
                raise unasked(what, error) from None
            code = str(getattr(error.error, "code", "") or "")
            message = str(getattr(error.error, "message", "") or error.reason or "")
            raise refused(what, error.status_code, code, message) from None
        except Fault as error:
            raise unasked(what, error) from None

    def _send(self, method: str, path: str, api_version: str | None, doing: str) -> Mapping[str, Any]:
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest
        from azure.mgmt.core.exceptions import ARMErrorFormat

        with self.doing(doing):
            request = HttpRequest(
                method, f"{self._endpoint}{path}", params={"api-version": api_version} if api_version else None
            )
            response = self._arm.send_request(request, connection_timeout=_SECONDS, read_timeout=_SECONDS)
            if response.status_code >= 400:
                raise HttpResponseError(response=response, error_format=ARMErrorFormat)
            answer = response.json()
            return answer if isinstance(answer, Mapping) else {}

    @cached_property
    def _arm(self) -> Any:
        from azure.core.pipeline import policies
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        return ARMPipelineClient(
            base_url=self._endpoint,
            policies=[
                policies.HeadersPolicy(),
                policies.UserAgentPolicy("dagster-hybrid"),
                policies.ProxyPolicy(),
                policies.RetryPolicy(),
                ARMChallengeAuthenticationPolicy(self.credential, self._scope),
            ],
        )

    @property
    def _scope(self) -> str:
        return f"{ARM}/.default"
