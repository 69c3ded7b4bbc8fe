"""The program of a stack run with nobody behind it: no engine, no provider, no network, no other program. What it asks
for is written down. Started by path as a process of its own (``recording.py``), with the order on standard input.

It imports nothing of ours by itself: the program that it runs may be that of another commit. What Pulumi's engine and
providers would answer is made up, always the same for the same question, so that equal programs are written down
equally; of what is not known here the program is told that only the update will know, as in a preview.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import importlib.util
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.runtime import mocks, rpc, set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

if TYPE_CHECKING:
    from hybrid.engine.mocked_answers import Answers

CHECKOUT: Final = "<checkout>"
"""What stands for the folder of the checkout in every text, since base and head lie in different ones."""
NO_ADDRESS: Final = "172.17.0.1"
"""What stands for this machine as containers reach it: Docker's own default."""

_OURS: Final = ("agent", "hybrid", "infra", "policies", "stacks")
_STACK: Final = "pulumi:pulumi:Stack"
_REFUSED: Final = frozenset(
    {
        *("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"),
        *("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"),
    }
)
_STARTS: Final = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})


def nobody_may_be_asked() -> None:
    """From now on nothing leaves this process: a look-up, a connection or another program is an error. It cannot be
    taken back. It guards against what was overlooked, not against a program that means harm: that has C at hand."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        raise PermissionError(errno.EPERM, f"offline nobody may be asked ({event})")
    if event in _STARTS:  # as on a machine that has no such program, which ours are written for
        raise FileNotFoundError(errno.ENOENT, f"offline no other program is started ({event})", str(arguments[:1]))


class Monitor(mocks.MockMonitor):
    """Pulumi's engine as far as the program sees it. ``portable`` makes a text the same in every checkout."""

    def __init__(self, answers: Answers, portable: Callable[[str], str]) -> None:
        super().__init__(_Unused())
        self.made: list[dict[str, Any]] = []
        self.asked: set[str] = set()
        self._answers = answers
        self._portable = portable
        self._lock = threading.Lock()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine does: with the types of all parents but the stack."""
        above = parent.split("::")[2] if parent else _STACK
        qualified = type_ if above == _STACK else f"{above}${type_}"
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == _STACK:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        id_, state = self._take(urn, request, request.object, request.importId if request.custom else "")
        self.resources[urn] = mocks.MockMonitor.ResourceRegistration(urn, id_, state)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=_sync_await(_wired(state)))

    def ReadResource(self, request: Any) -> Any:
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        urn = self.make_urn(request.parent, request.type, request.name)
        with self._lock:
            self.asked.add(request.type)
        state = rpc.deserialize_properties(request.properties, True)
        self.resources[urn] = mocks.MockMonitor.ResourceRegistration(urn, request.id, state)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=_sync_await(_wired(state)))

    def Invoke(self, request: Any) -> Any:
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        arguments = rpc.deserialize_properties(request.args)
        with self._lock:
            self.asked.add(request.tok)
            answer = self._answers.question(request.tok, arguments)
        return resource_pb2.ResourceInvokeResponse(**{"return": _sync_await(_wired(answer))})

    def _take(self, urn: str, request: Any, properties: Any, imported: str) -> tuple[str, dict[str, Any]]:
        _ensure_event_loop()  # type: ignore[no-untyped-call]
        marked = rpc.deserialize_properties(properties, True)
        inputs = {name: self._plain(value) for name, value in marked.items()}
        id_, computed = self._answers.resource(request.type, request.name, inputs) if request.custom else ("", {})
        computed = {name: rpc.wrap_rpc_secret(value) if name == "token" else value for name, value in computed.items()}
        entry = {
            "urn": urn,
            "custom": bool(request.custom),
            "inputs": inputs,
            "outputs": {name: self._plain(value) for name, value in computed.items()},
            "retained": bool(request.retainOnDelete),
            "depends_on": sorted(set(request.dependencies) | ({request.parent} if request.parent else set())),
            "aliases": [*request.aliasURNs, *(self._alias(urn, request, each) for each in request.aliases)],
        }
        with self._lock:
            self.made.append(entry)
        return imported or id_, {**computed, **marked}

    def _alias(self, urn: str, request: Any, alias: Any) -> str:
        if alias.WhichOneof("alias") == "urn":
            return str(alias.urn)
        spec = alias.spec
        parent = "" if spec.noParent else (spec.parentUrn or request.parent)
        return self.make_urn(parent, spec.type or request.type, spec.name or request.name)

    def _plain(self, value: Any) -> Any:
        """JSON that is the same in every checkout. Of a secret only whether it is the same; not even that of a whole
        list or object that Pulumi takes for secret because of one text in it, for this process has no secret."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self._portable(value)
            case pulumi.output.Unknown():
                return rpc.UNKNOWN
            case _ if rpc.is_rpc_secret(value):
                inner = self._plain(rpc.unwrap_rpc_secret(value))
                composed = isinstance(inner, list | dict) or inner == rpc.UNKNOWN
                return inner if composed else f"[secret {_digest(json.dumps(inner))[:8]}]"
            case Mapping():
                return {self._portable(str(key)): self._plain(item) for key, item in value.items()}
            case list() | tuple():
                return [self._plain(item) for item in value]
            case pulumi.Resource():
                return f"[{type(value).__name__}]"
            case pulumi.Asset() | pulumi.Archive():
                return self._plain(vars(value))
        return f"[{type(value).__name__}]"


class _Unused(mocks.Mocks):
    """Asked by nobody: the monitor answers itself."""

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise NotImplementedError

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        raise NotImplementedError


async def _wired(state: Mapping[str, Any]) -> Any:
    return await rpc.serialize_properties(dict(state), {})


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _answers(account: str, region: str, marks: Mapping[str, str]) -> Answers:
    """From the file beside this one: by its name it would be looked for in the checkout whose program runs."""
    spec = importlib.util.spec_from_file_location("mocked_answers", Path(__file__).with_name("mocked_answers.py"))
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("mocked_answers")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Answers = module.Answers(account, region, marks)
    return found


# What the program asks outside of Pulumi, by module and name. It is answered here and not by a switch in the program,
# which somebody could leave on. A name that is gone is no error here: whoever then asks is refused.


def _left_out(kind: str, content: Callable[[Path], str]) -> None:
    for platform, module, name, answer in _answers_beside(content):
        if platform not in ("", kind):
            continue
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        *path, last = name.split(".")
        for part in path:
            found = getattr(found, part, None)
        if hasattr(found, last):
            setattr(found, last, answer(getattr(found, last)))


def _answers_beside(content: Callable[[Path], str]) -> list[tuple[str, str, str, Callable[[Any], Any]]]:
    """The platform (empty: all), module, name, and from the former function the one that takes its place."""

    def hashed(former: Any) -> Any:
        def of(folder: Path, *rest: Any, **more: Any) -> str:
            former(folder, *rest, **more)  # it refuses what cannot be hashed
            return content(folder)

        return of

    return [
        ("", "hybrid.delivery.document", "content_hash", hashed),
        ("docker", "hybrid.containers.docker", "Docker.find", lambda _: classmethod(lambda *_, **__: None)),
        ("docker", "hybrid.containers.host", "address_from_containers", lambda _: lambda *_, **__: NO_ADDRESS),
        ("ecs", "stacks.ecs_standing", "look", lambda _: lambda *_, **__: _nothing_kept()),
        ("ecs", "infra.network_facts", "check", lambda _: lambda *_, **__: None),
        ("ecs", "infra.network_facts", "crowded", lambda _: lambda *_, **__: []),
        ("kubernetes", "stacks.registry_login", "docker_config", lambda _: lambda *_, **__: "{}"),
    ]


def _nothing_kept() -> Any:
    return importlib.import_module("stacks.ecs_standing").Kept()


def _setting(order: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    try:
        found = json.loads(order["config"].get(key) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _portable(roots: list[str]) -> Callable[[str], str]:
    """Resolved forms, too; the longest first, since one may lie in another."""
    known = sorted({form for root in roots for form in (root, str(Path(root).resolve()))}, key=len, reverse=True)

    def portable(text: str) -> str:
        for root in known:
            text = text.replace(root, CHECKOUT)
        return text

    return portable


def record(order: Mapping[str, Any]) -> dict[str, Any]:
    """Run the program as ``order`` says (``recording.record`` writes it), and what it asked for.

    Raises what the program raises, ``ImportError`` when anything of it came from elsewhere than it should.
    """
    sys.path.insert(0, order["code"])
    portable = _portable([order["code"], order["settings"]])
    aws = _setting(order, "hybrid:aws")
    answers = _answers(str(aws.get("account") or ""), str(aws.get("region") or ""), order["marks"])
    monitor = Monitor(answers, portable)
    kind = str(_setting(order, "hybrid:agent").get("kind") or "local")
    contents = order["contents"]
    nobody_may_be_asked()
    _left_out(kind, lambda folder: _digest(f"{portable(str(folder))} {contents.get(portable(str(folder)), '')}"))
    program = importlib.import_module("stacks.__main__")
    set_mocks(monitor.mocks, project=order["project"], stack=order["stack"], preview=True, monitor=monitor)
    set_all_config(dict(order["config"]), list(order["secrets"]))
    pulumi.runtime.test(program.main)()  # type: ignore[no-untyped-call]
    _refuse_strangers(order["code"])
    return {"resources": sorted(monitor.made, key=lambda entry: str(entry["urn"])), "asked": sorted(monitor.asked)}


def _refuse_strangers(code: str) -> None:
    """This checkout may be installed as a package, too: what the other one lacks would be taken from here."""
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in _OURS and file and not str(file).startswith(f"{code}/"):
            raise ImportError(f"{name} is not part of the program of that commit")


def _main() -> None:
    order = json.load(sys.stdin)
    try:
        result = record(order)
    except pulumi.RunError as error:
        result = {"error": str(error)}
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        result = {"error": f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"}
    Path(order["result"]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    _main()
    os._exit(0)  # what is left of event loops would be told on standard error, and nothing is left to be closed
