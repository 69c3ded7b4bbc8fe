"""A strict stand-in for Pulumi's engine and AWS's provider: it runs a piece of a program, writes down every resource
that the program asked for, and refuses inputs that the resource's own class does not know.

    record = recording.run(lambda: Network("net", NetworkArgs(...)))
    record.only("aws:ec2/vpc:Vpc").inputs["cidrBlock"]
    record.value(record.result.vpc_id)

What it proves: which resources with which inputs, parents and options a program declares. What it cannot prove: that
AWS accepts them.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
from pulumi.runtime import mocks, rpc, set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import provider_pb2, resource_pb2
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

from tests.unit.infra.aws_shapes import ACCOUNT, REGION, World, answered, outputs_of
from tests.unit.infra.input_shapes import complaints


@dataclass(frozen=True)
class Refused:
    """A data source that fails, in the words of its provider."""

    reason: str


Answer = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | Refused
"""What a data source gives, or what a resource has besides its inputs; a callable gets the arguments."""

UNKNOWN: Final = pulumi.output.Unknown
"""The type of an input that only an update can know; see ``run(preview=True)``."""


@dataclass(frozen=True)
class Options:
    """The options of a resource, as the engine got them."""

    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, str] = field(default_factory=dict)
    """``create``, ``update``, ``delete``, where they were given."""
    depends_on: frozenset[str] = frozenset()
    """Names of all resources that this one waits for: by ``depends_on`` and by the values that it uses."""
    additional_secret_outputs: tuple[str, ...] = ()
    provider: str = ""
    """The name of the explicit provider; empty for the default one."""
    imported: str = ""
    """The id by which it is adopted or read; empty otherwise."""


@dataclass(frozen=True)
class Made:
    """One resource that the program asked for."""

    token: str
    name: str
    inputs: Mapping[str, Any]
    """By the names of the wire (camelCase), without the marks of secrets."""
    secret: frozenset[str]
    """Names of the inputs that are secret or have a secret inside."""
    parent: str | None
    """The parent's name; None below the stack itself."""
    id: str
    outputs: Mapping[str, Any]
    options: Options
    is_component: bool


class Record:
    """What a program asked for, and what it came to."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.resources: list[Made] = []
        self.invokes: list[tuple[str, Mapping[str, Any]]] = []
        """Data sources, with their arguments."""
        self.failures: list[str] = []
        self.warnings: list[str] = []
        """What the program told people by ``pulumi.log.warn``."""
        self.result: Any = None
        """What the program gave back."""
        self._loop = loop
        weakref.finalize(self, loop.close)

    def of(self, token: str) -> list[Made]:
        """All of a type, sorted by name."""
        return sorted((made for made in self.resources if made.token == token), key=lambda made: made.name)

    def only(self, token: str) -> Made:
        """The only one of a type."""
        found = self.of(token)
        assert len(found) == 1, f"{len(found)} of {token}, wanted one: {[made.name for made in found]}"
        return found[0]

    def named(self, name: str) -> Made:
        """The only one of a name."""
        found = [made for made in self.resources if made.name == name]
        assert len(found) == 1, f"{len(found)} named {name}, wanted one of {sorted(m.name for m in self.resources)}"
        return found[0]

    def counts(self) -> Counter[str]:
        """How many of each type, components not counted."""
        return Counter(made.token for made in self.resources if not made.is_component)

    def asked(self, token: str) -> list[Mapping[str, Any]]:
        """The arguments of each question to a data source."""
        return [arguments for asked, arguments in self.invokes if asked == token]

    def value(self, output: Any) -> Any:
        """What an output came to; a plain value is given back. Outputs that are not known (previews) are ``None``."""

        async def resolved() -> Any:
            return await pulumi.Output.from_input(output).future()

        return self._loop.run_until_complete(resolved())

    def is_secret(self, output: pulumi.Output[Any]) -> bool:
        return bool(self._loop.run_until_complete(output.is_secret()))

    def is_known(self, output: pulumi.Output[Any]) -> bool:
        return bool(self._loop.run_until_complete(output.is_known()))


def run(
    build: Callable[[], Any],
    *,
    answers: Mapping[str, Answer] | None = None,
    allowed: Collection[str] | None = None,
    preview: bool = False,
    config: Mapping[str, str] | None = None,
    account: str = ACCOUNT,
    region: str = REGION,
    zones: Collection[str] = ("a", "b", "c"),
    strict: bool = True,
) -> Record:
    """Run ``build`` and give back what it asked for.

    ``answers``: by token of a data source or resource. ``allowed``: the only types that may be made (tokens;
    components are not counted). ``preview``: nothing has an id or a computed output yet. ``zones``: last letters of the
    region's zones. ``strict``: raise ``AssertionError`` for what ``Record.failures`` holds.
    An error of the program itself is raised as it is.
    """
    world = World(account=account, region=region, zones=tuple(zones))
    with _loop() as loop:
        record = Record(loop)
        monitor = _Monitor(record, world, dict(answers or {}), allowed, preview)
        set_mocks(monitor.mocks, project="hybrid", stack="prod", preview=preview, monitor=monitor)
        pulumi.runtime.settings.SETTINGS.engine.logger = _Warnings(record)
        set_all_config(dict(config or {}), [])
        try:
            pulumi.runtime.test(lambda: _built(build, record))()
        finally:
            set_all_config({}, [])
    if strict and record.failures:
        raise AssertionError("\n".join(record.failures))
    return record


def _built(build: Callable[[], Any], record: Record) -> None:
    record.result = build()


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of the run's own: Pulumi takes the thread's, which another test may have closed."""
    loop = asyncio.new_event_loop()
    # outputs that nobody waits for when the program fails would be told on stderr, each with a traceback
    loop.set_exception_handler(lambda _, __: None)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        asyncio.set_event_loop(None)


class _Warnings:
    """The engine's log, of which tests want the warnings."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def warning(self, message: str) -> None:
        self._record.warnings.append(message)

    def debug(self, message: str) -> None: ...

    def info(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


class _Mocks(mocks.Mocks):
    """Asked by nobody: the monitor below answers itself, since it needs more than mocks are given."""

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise NotImplementedError

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        raise NotImplementedError


class _Monitor(mocks.MockMonitor):
    def __init__(
        self,
        record: Record,
        world: World,
        answers: Mapping[str, Answer],
        allowed: Collection[str] | None,
        preview: bool,
    ) -> None:
        super().__init__(_Mocks())
        self._record = record
        self._world = world
        self._answers = answers
        self._allowed = allowed
        self._preview = preview

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        given, id_, state = self._made(request, request.object, request.importId, read=False)
        if self._preview:
            id_, state = "", as_given_back(request.type, given)
        answer = _sync_await(rpc.serialize_properties(state, {}))
        self.resources[urn] = mocks.MockMonitor.ResourceRegistration(urn, id_, state)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=answer)

    def ReadResource(self, request: Any) -> Any:
        _, _, state = self._made(request, request.properties, request.id, read=True)
        urn = self.make_urn(request.parent, request.type, request.name)
        answer = _sync_await(rpc.serialize_properties(state, {}))
        self.resources[urn] = mocks.MockMonitor.ResourceRegistration(urn, request.id, state)
        return resource_pb2.ReadResourceResponse(urn=urn, properties=answer)

    def Invoke(self, request: Any) -> Any:
        _ensure_event_loop()
        token, arguments = request.tok, rpc.deserialize_properties(request.args)
        self._record.invokes.append((token, arguments))
        answer = self._answers.get(token)
        if isinstance(answer, Refused):
            return resource_pb2.ResourceInvokeResponse(failures=[provider_pb2.CheckFailure(reason=answer.reason)])
        found = answered(token, arguments, self._world) if answer is None else _given(answer, arguments)
        if found is None:
            self._record.failures.append(f"{token} was asked {arguments}: give it in `answers`")
            found = {}
        return resource_pb2.ResourceInvokeResponse(**{"return": _sync_await(rpc.serialize_properties(found, {}))})

    def _made(
        self, request: Any, properties: Any, known_as: str, *, read: bool
    ) -> tuple[dict[str, Any], str, dict[str, Any]]:
        _ensure_event_loop()
        marked = rpc.deserialize_properties(properties, True)
        inputs = {name: _bare(value) for name, value in marked.items()}
        token, is_component = request.type, not (read or request.custom)
        made_of = outputs_of(token, request.name, inputs, self._world)
        answer = self._answers.get(token)
        computed = {**made_of.outputs, **({} if answer is None else _given(answer, inputs))}
        if not is_component:
            self._judge(token, request.name, inputs, read=read, shaped=made_of.is_known or answer is not None)
        id_ = "" if is_component else (known_as or str(computed.pop("id", made_of.id)))
        self._record.resources.append(
            Made(
                token=token,
                name=request.name,
                inputs=inputs,
                secret=frozenset(name for name, value in marked.items() if _has_secret(value)),
                parent=_parent(request.parent),
                id=id_,
                outputs={**inputs, **computed},
                options=_options(request, known_as, read=read),
                is_component=is_component,
            )
        )
        return marked, id_, as_given_back(token, _joined(computed, marked))

    def _judge(self, token: str, name: str, inputs: Mapping[str, Any], *, read: bool, shaped: bool) -> None:
        found = complaints(token, inputs, read=read)
        if self._allowed is not None and token not in self._allowed:
            found.append("its type was not expected here")
        if not shaped:
            found.append("tests/unit/infra/aws_shapes.py does not know which ARN AWS gives it")
        self._record.failures.extend(f"{name} ({token}): {complaint}" for complaint in found)


def _joined(computed: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a provider gives back: what it was given, and in the same objects what it found out."""
    joined = {**computed, **given}
    for name, value in given.items():
        bare, found = rpc.unwrap_rpc_secret(value), computed.get(name)
        if isinstance(bare, Mapping) and isinstance(found, Mapping):
            both = {**found, **bare}
            joined[name] = rpc.wrap_rpc_secret(both) if rpc.is_rpc_secret(value) else both
    return joined


def as_given_back(token: str, state: dict[str, Any]) -> dict[str, Any]:
    """Azure takes identities as a list and gives them back by id, which is how its SDK reads outputs."""
    identity = state.get("identity")
    given = identity.get("userAssignedIdentities") if isinstance(identity, Mapping) else None
    if not token.startswith("azure-native:") or not isinstance(given, list):
        return state
    return {**state, "identity": {**identity, "userAssignedIdentities": {str(each): {} for each in given}}}


def _options(request: Any, known_as: str, *, read: bool) -> Options:
    depends_on = frozenset(urn.split("::")[-1] for urn in request.dependencies)
    provider = request.provider.split("::")[-2] if request.provider else ""
    if read:
        return Options(depends_on=depends_on, provider=provider, imported=known_as)
    timeouts = {kind: getattr(request.customTimeouts, kind) for kind in ("create", "update", "delete")}
    return Options(
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        custom_timeouts={kind: said for kind, said in timeouts.items() if said},
        depends_on=depends_on,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        provider=provider,
        imported=known_as,
    )


def _parent(urn: str) -> str | None:
    if not urn or "pulumi:pulumi:Stack::" in urn:
        return None
    return urn.split("::")[-1]


def _given(answer: Answer, arguments: dict[str, Any]) -> Mapping[str, Any]:
    if isinstance(answer, Refused):
        raise TypeError("only a data source can be refused here, not a resource")
    return answer(arguments) if callable(answer) else answer


def _bare(value: Any) -> Any:
    """Without the marks of secrets, at every depth."""
    if rpc.is_rpc_secret(value):
        return _bare(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {name: _bare(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_bare(part) for part in value]
    return value


def _has_secret(value: Any) -> bool:
    if rpc.is_rpc_secret(value):
        return True
    if isinstance(value, Mapping):
        return any(_has_secret(part) for part in value.values())
    return isinstance(value, list) and any(_has_secret(part) for part in value)
