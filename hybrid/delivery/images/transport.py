"""Requests to registries: logins, the short-lived tokens that some hand out for them, and patience with faults that
pass."""

from __future__ import annotations

import base64
import os
import re
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hybrid.delivery.images.errors import RegistryUnreachable
from hybrid.delivery.images.login import Login, Logins
from hybrid.delivery.images.reference import Reference
from hybrid.redaction import Token, redact

if TYPE_CHECKING:
    import httpx

_TIMEOUT: Final = 20.0
_ATTEMPTS: Final = 4
_PASSING: Final = frozenset({429, 500, 502, 503, 504})
_PARAMETER: Final = re.compile(r'([A-Za-z]+)="([^"]*)"')


class Transport:
    """Sends what a registry is asked. ``wait`` is the longest pause between two attempts, in seconds."""

    def __init__(self, environ: Mapping[str, str], logins: Logins, *, wait: float = 4.0) -> None:
        self._environ = dict(environ)
        self._logins = logins
        self._wait = wait
        self._tokens: dict[tuple[str, str], Token] = {}
        self._basic: set[str] = set()
        self._clients: dict[bool, httpx.Client] = {}
        self._lock = threading.Lock()

    def send(
        self, method: str, url: str, registry: str, scope: str, content: bytes | None, headers: Mapping[str, str]
    ) -> httpx.Response:
        """The answer, after a login if one is asked for. Raises ``RegistryUnreachable`` after four attempts."""
        answer = self._patiently(method, url, content, self._with_login(registry, scope, headers))
        if answer.status_code != 401:
            return answer
        if (registry, scope) in self._tokens or registry in self._basic:
            self._logins.forget(registry)  # what it gave before has lapsed
        self._log_in(registry, scope, answer.headers.get("WWW-Authenticate", ""))
        return self._patiently(method, url, content, self._with_login(registry, scope, headers))

    def _with_login(self, registry: str, scope: str, headers: Mapping[str, str]) -> dict[str, str]:
        with self._lock:
            token, basic = self._tokens.get((registry, scope)), registry in self._basic
        if token is not None:
            return {**headers, "Authorization": f"Bearer {token.reveal()}"}
        login = self._logins.of(registry) if basic else None
        return {**headers, "Authorization": _basic(login)} if login else dict(headers)

    def _log_in(self, registry: str, scope: str, challenge: str) -> None:
        if challenge.lower().startswith("bearer "):
            asked = dict(_PARAMETER.findall(challenge))
            token = self._token(registry, asked.get("realm", ""), asked.get("service", ""), scope)
            with self._lock:
                if token is not None:
                    self._tokens[registry, scope] = token
        else:
            with self._lock:
                self._basic.add(registry)

    def _token(self, registry: str, realm: str, service: str, scope: str) -> Token | None:
        parts = urllib.parse.urlsplit(realm)
        loopback = Reference.parse(f"{registry}/x").is_loopback
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
            return None  # a password goes nowhere that others could read it
        login = self._logins.of(registry)
        asked = {"service": service, "scope": scope}
        if login is not None and login.is_identity:
            form = {**asked, "grant_type": "refresh_token", "refresh_token": login.password.reveal()}
            content = urllib.parse.urlencode({**form, "client_id": "dagster-hybrid"}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._patiently("POST", realm, content, headers)
        else:
            url = f"{realm}{'&' if parts.query else '?'}{urllib.parse.urlencode(asked)}"
            answer = self._patiently("GET", url, None, {"Authorization": _basic(login)} if login else {})
        if not answer.is_success:
            return None
        try:
            told: Any = answer.json()
        except ValueError:
            return None
        token = (told.get("token") or told.get("access_token")) if isinstance(told, dict) else None
        return Token(token) if isinstance(token, str) else None

    def _patiently(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        import httpx
        import tenacity

        client = self._client(url)
        patience = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(initial=self._wait / 8, max=self._wait, jitter=self._wait / 8),
            retry=tenacity.retry_if_exception_type(httpx.TransportError)
            | tenacity.retry_if_result(lambda answer: answer.status_code in _PASSING),
            retry_error_callback=_last,
        )
        try:
            answer: httpx.Response = patience(client.request, method, url, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnreachable(
                f"The registry {urllib.parse.urlsplit(url).netloc} does not answer.",
                why=redact(str(error)) or type(error).__name__,
                next_step="look whether it runs, and at the network, proxy and certificates on the way to it.",
            ) from None
        return answer

    def _client(self, url: str) -> httpx.Client:
        import httpx

        plain = url.startswith("http://")
        with self._lock:
            if plain not in self._clients:
                # a proxy is no way to this machine itself; the address of a file with authorities is honoured
                self._clients[plain] = httpx.Client(
                    verify=_authorities(self._environ),
                    trust_env=not plain,
                    follow_redirects=True,
                    timeout=_TIMEOUT,
                )
            return self._clients[plain]


def _authorities(environ: Mapping[str, str]) -> ssl.SSLContext:
    file = environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_FILE")
    return ssl.create_default_context(cafile=file or None)


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password.reveal()}".encode()).decode()


def _last(state: Any) -> Any:
    return state.outcome.result()  # the last answer, or the last exception itself
