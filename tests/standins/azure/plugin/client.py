"""Azure Resource Manager as the plugin asks it: put and waited for, read, deleted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx

ARM: Final = "https://management.azure.com"
_LOOK: Final = 0.2
_SECONDS: Final = 600.0


class ArmError(Exception):
    """What Azure said, or what did not come about in time."""


class ArmClient:
    """With the login that Azure's tools have. Safe for threads."""

    def __init__(self) -> None:
        from azure.identity import DefaultAzureCredential

        self._credential = DefaultAzureCredential()
        self._client = httpx.Client(timeout=60, verify=os.environ.get("SSL_CERT_FILE") or True)
        self._one = threading.Lock()

    def put(self, id_: str, version: str, body: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The resource as it is then."""
        answer = self._asked("PUT", f"{ARM}{id_}?api-version={version}", body)
        self._await(answer, seconds)
        return self.get(id_, version) or {}

    def get(self, id_: str, version: str) -> dict[str, Any] | None:
        """None when there is none."""
        answer = self._asked("GET", f"{ARM}{id_}?api-version={version}", missing=True)
        return None if answer.status_code == 404 else dict(answer.json())

    def post(self, id_: str, version: str) -> dict[str, Any]:
        return dict(self._asked("POST", f"{ARM}{id_}?api-version={version}").json())

    def delete(self, id_: str, version: str, seconds: float) -> None:
        answer = self._asked("DELETE", f"{ARM}{id_}?api-version={version}", missing=True)
        if answer.status_code != 404:
            self._await(answer, seconds)

    def _await(self, answer: httpx.Response, seconds: float) -> None:
        """A long operation, until it is over."""
        status, location = (answer.headers.get(name) for name in ("Azure-AsyncOperation", "Location"))
        end = time.monotonic() + (seconds or _SECONDS)
        while status or location:
            told = self._asked("GET", status or location)
            if not status and told.status_code != 202:
                return
            said = told.json() if status else {}
            if said.get("status") in ("Succeeded", "Failed", "Canceled"):
                if said["status"] != "Succeeded":
                    raise ArmError(str((said.get("error") or {}).get("message") or said["status"]))
                return
            if time.monotonic() > end:
                raise ArmError(f"not over within {seconds or _SECONDS:.0f} s")
            time.sleep(_LOOK)

    def _asked(self, method: str, url: str, body: Any = None, *, missing: bool = False) -> httpx.Response:
        with self._one:
            token = self._credential.get_token(f"{ARM}/.default").token
        answer = self._client.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"})
        if answer.status_code >= 400 and not (missing and answer.status_code == 404):
            said = answer.json().get("error") or {}
            raise ArmError(f"{answer.status_code} {said.get('code')}: {said.get('message')}")
        return answer
