"""A cluster that a process of its own serves, as tests hold it: started, asked, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import kubernetes
from kubernetes.client import ApiClient, ApiException

from tests.emulated.checkout import until
from tests.kubernetes import kubeconfig
from tests.processes import end, whole_lines

_ROOT: Final = Path(__file__).resolve().parents[2]
_READY_SECONDS: Final = 900.0  # others' clusters end first
_END_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Call:
    """A call that the API server answered, as its audit log has it."""

    user: str
    verb: str
    group: str
    """The API's group; empty for the core."""
    resource: str
    """With a subresource: ``pods/log``."""
    namespace: str
    name: str
    allowed: bool
    reason: str
    """Why RBAC allowed it: the binding and the role; empty where it did not."""
    status: int
    dry_run: bool = False
    """Validated, and not done: what a preview asks."""

    @classmethod
    def read(cls, line: str) -> Call | None:
        """None for calls that are not about a resource."""
        said = json.loads(line)
        about, notes = said.get("objectRef"), said.get("annotations") or {}
        if about is None:
            return None
        parts = [about.get("resource", ""), about.get("subresource", "")]
        return cls(
            user=said["user"]["username"], verb=said["verb"], group=about.get("apiGroup", ""),
            resource="/".join(filter(None, parts)), namespace=about.get("namespace", ""), name=about.get("name", ""),
            allowed=notes.get("authorization.k8s.io/decision") == "allow",
            reason=notes.get("authorization.k8s.io/reason", ""),
            status=(said.get("responseStatus") or {}).get("code", 0),
            dry_run="dryRun=" in said.get("requestURI", ""),
        )  # fmt: skip


class ServedCluster:
    """``with`` it, there is one until the block ends. ``words`` are what its process is told beyond the folder."""

    def __init__(self, folder: Path, node: str, words: Sequence[str], environ: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.node = folder, node
        self._words, self._environ = words, environ
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's. Its only context is ``kubeconfig.CONTEXT``."""
        return self.folder / "admin.kubeconfig"

    @property
    def context(self) -> str:
        return kubeconfig.CONTEXT

    @property
    def server(self) -> str:
        return str(self.client().configuration.host)

    def client(self, given: Path | None = None) -> ApiClient:
        """The official client, as administrator or by a kubeconfig."""
        return kubernetes.config.new_client_from_config(str(given or self.kubeconfig))

    def core(self) -> Any:
        return kubernetes.client.CoreV1Api(self.client())

    def apps(self) -> Any:
        return kubernetes.client.AppsV1Api(self.client())

    def batch(self) -> Any:
        return kubernetes.client.BatchV1Api(self.client())

    def apply(self, *documents: dict[str, Any]) -> None:
        """Make objects, as administrator."""
        for document in documents:
            kubernetes.utils.create_from_dict(self.client(), document)

    def kubeconfig_of(self, namespace: str, account: str) -> Path:
        """One with the rights of a service account, for an hour."""
        request = {"spec": {"expirationSeconds": 3600}}
        token = self.core().create_namespaced_service_account_token(account, namespace, request).status.token
        path = self.folder / f"{namespace}-{account}.kubeconfig"
        authority = self.folder / "certificates" / "ca.crt"
        return kubeconfig.by_token(path, self.server, authority, token, namespace=namespace)

    @contextmanager
    def namespace(self, name: str) -> Iterator[str]:
        """A namespace that is gone, with all in it, after the block."""
        core = self.core()
        core.create_namespace({"metadata": {"name": name}})
        accounts = lambda: [one.metadata.name for one in core.list_namespaced_service_account(name).items]  # noqa: E731
        self.until(lambda: "default" in accounts(), seconds=60, what=f"{name} has its default service account")
        try:
            yield name
        finally:
            core.delete_namespace(name)
            self.until(lambda: not self.exists(name), seconds=120, what=f"the namespace {name} is gone")

    def exists(self, namespace: str) -> bool:
        try:
            self.core().read_namespace(namespace)
        except ApiException as error:
            if error.status == 404:
                return False
            raise
        return True

    def calls(self, user: str | None = None) -> list[Call]:
        """All calls about resources so far, of everybody or of ``user``. The cluster's own parts are not recorded."""
        found = [call for line in self._lines("audit") if (call := Call.read(line)) is not None]
        return [call for call in found if user is None or call.user == user]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened to Pods: ``what`` is ``pod starts``, ``pod phase``, ``pod ended`` or ``fault``."""
        return [json.loads(line) for line in self._lines("events")]

    def start(self) -> None:
        """Returns when its node is ready."""
        words = ["serve", "--folder", str(self.folder), "--parent", str(os.getpid()), *self._words]
        environ = {name: value for name, value in self._environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kubernetes", *words], cwd=_ROOT, env=environ, stdout=log, stderr=log
            )
        self.until(self._answers, seconds=_READY_SECONDS, what="the cluster answers")
        self.until(self._schedules, seconds=120, what="its node takes Pods")

    def stop(self) -> None:
        end(self._process, _END_SECONDS)

    def until(self, condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
        """As ``tests.emulated.checkout.until``; the failure says what happened last."""
        try:
            return until(condition, seconds=seconds, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}. Its last events: {self.events[-12:]}") from error

    def _answers(self) -> bool:
        said = (self.folder / "log").read_text()
        if self._process is None or self._process.poll() is not None:
            raise AssertionError(f"the cluster ended: {said[-3000:]}")
        return "answers" in said

    def _schedules(self) -> bool:
        node = self.core().read_node(self.node)
        return not node.spec.taints

    def _lines(self, name: str) -> list[str]:
        return whole_lines(self.folder / f"{name}.jsonl")
