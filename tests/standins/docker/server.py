"""Pulumi's ResourceProvider service over the four types."""

from __future__ import annotations

import json
import os
import secrets
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import engine_pb2, plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

import docker
import docker.errors
from hybrid.provider.properties import UNKNOWN, Properties, Secret, decode, encode, has_unknown, reveal
from hybrid.provider.report import EngineLog
from hybrid.redaction import redact, register
from tests.standins.docker.container import Container
from tests.standins.docker.kind import Kind, PartialError, PluginError, Session
from tests.standins.docker.logins import Logins
from tests.standins.docker.network import Network
from tests.standins.docker.remote_image import RemoteImage
from tests.standins.docker.shape import faults, settled
from tests.standins.docker.volume import Volume

VERSION: Final = "5.2.0"
SAYS: Final = "docker: stand-in for Pulumi's plugin (tests/standins/docker)"
KINDS: Final[dict[str, Kind]] = {kind.token: kind for kind in (Container(), Network(), RemoteImage(), Volume())}
_MADE_UP: Final = "__defaults"
"""The input in which the plugin's bridge keeps which names it made up."""
_CONFIG: Final = {"host", "registryAuth", "disableDockerDaemonCheck", "version"}
_ENGINE_SECONDS: Final = 300

Answer = TypeVar("Answer")


class Provider(ResourceProviderServicer):
    """The service."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log
        self._host: str | None = None
        self._logins = Logins()
        self._local = threading.local()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.GetSchemaResponse(schema=json.dumps({"name": "docker", "version": VERSION}))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        unmapped = sorted(set(decode(request.news)) - _CONFIG)
        failures = [
            wire.CheckFailure(property=name, reason=f"The stand-in does not map '{name}'.") for name in unmapped
        ]
        return wire.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.DiffResponse(changes=wire.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        given = reveal(_received(request.args))
        if given.get("host") is not UNKNOWN:
            self._host = given.get("host")
        if (auth := given.get("registryAuth")) and not has_unknown(auth):
            self._logins = Logins(json.loads(auth) if isinstance(auth, str) else auth)
        for entry in self._logins.given:
            register(entry.get("password") or "")
        self._log.write("", engine_pb2.INFO, SAYS)
        return wire.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        def check() -> Any:
            kind, inputs = _kind(request.urn), _received(request.news)
            inputs.pop(_MADE_UP, None)
            found = [
                wire.CheckFailure(property=path, reason=reason) for path, reason in faults(kind.properties, inputs)
            ]
            if kind.named and inputs.get("name") is None:
                inputs = _named(request.urn, _received(request.olds), inputs)
            return wire.CheckResponse(inputs=encode(inputs), failures=found)

        return self._answered(context, check)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        def diff() -> Any:
            kind = _kind(request.urn)
            old, new = _received(request.old_inputs), _received(request.news)
            changed = set(_changes(kind, old, new))
            if kind.token == Container.token and _other_image(_received(request.olds), new):
                changed.add("image")
            return _difference(kind, changed - set(request.ignoreChanges), old, new)

        return self._answered(context, diff)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        def create() -> Any:
            kind, inputs = _kind(request.urn), _received(request.properties)
            if request.preview:
                return wire.CreateResponse(properties=encode(_foreseen(kind, inputs, {})))
            made = kind.create(self._session(request.urn), _work(inputs))
            return wire.CreateResponse(id=made.id, properties=encode(_state(inputs, made.outputs)))

        return self._answered(context, create, request.properties)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        def read() -> Any:
            kind, inputs = _kind(request.urn), _received(request.inputs)
            found = kind.read(self._session(request.urn), request.id, _work(inputs))
            if found is None:
                return wire.ReadResponse()
            inputs = {**inputs, **found.inputs}
            return wire.ReadResponse(
                id=found.id, inputs=encode(inputs), properties=encode(_state(inputs, found.outputs))
            )

        return self._answered(context, read)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        def update() -> Any:
            kind, inputs, olds = _kind(request.urn), _received(request.news), _received(request.olds)
            if request.preview:
                return wire.UpdateResponse(properties=encode(_foreseen(kind, inputs, olds)))
            old = _work(_received(request.old_inputs))
            made = kind.update(self._session(request.urn), request.id, old, _work(inputs))
            return wire.UpdateResponse(properties=encode(_state(inputs, made.outputs)))

        return self._answered(context, update, request.news)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        def delete() -> Any:
            given = _received(request.old_inputs) or _received(request.properties)
            _kind(request.urn).delete(self._session(request.urn), request.id, _work(given))
            return empty_pb2.Empty()

        return self._answered(context, delete)

    def _session(self, urn: str) -> Session:
        """A client for each thread: docker-py's shares its connections."""
        if not hasattr(self._local, "client"):
            host = self._host or os.environ.get("DOCKER_HOST") or None
            self._local.client = docker.DockerClient(base_url=host, version="auto", timeout=_ENGINE_SECONDS)
        return Session(self._local.client, self._logins, lambda text: self._log.write(urn, engine_pb2.WARNING, text))

    def _answered(self, context: grpc.ServicerContext, work: Callable[[], Answer], inputs: Any = None) -> Answer:
        try:
            return work()
        except PartialError as error:
            _end_partial(context, error, inputs)
        except PluginError as error:
            context.abort(grpc.StatusCode.UNKNOWN, redact(str(error)))
        except docker.errors.DockerException as error:
            told = getattr(error, "explanation", None) or error
            context.abort(grpc.StatusCode.UNKNOWN, redact(f"Docker: {told}"))
        except Exception as error:
            place = "".join(traceback.format_exception(error)[-4:])
            context.abort(grpc.StatusCode.INTERNAL, redact(f"Fault in the stand-in: {error}\n{place}"))
        raise AssertionError("abort always raises")


def _end_partial(context: grpc.ServicerContext, error: PartialError, inputs: Any) -> None:
    detail = wire.ErrorResourceInitFailed(
        id=error.id,
        properties=encode(_state(_received(inputs), error.outputs)),
        reasons=[redact(str(error))],
        inputs=inputs,
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    code: int = grpc.StatusCode.UNKNOWN.value[0]
    status = status_pb2.Status(code=code, message=redact(str(error)), details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, redact(str(error)))


def _kind(urn: str) -> Kind:
    token = urn.split("::")[2].rpartition("$")[2]
    if token not in KINDS:
        raise PluginError(f"The stand-in for Pulumi's docker plugin has no {token} (tests/standins/docker).")
    return KINDS[token]


def _received(struct: Any) -> Properties:
    properties = decode(struct)
    for text in _secrets(properties, inside=False):
        register(text)
    return properties


def _secrets(value: Any, inside: bool) -> Iterator[str]:
    match value:
        case Secret(value=inner):
            yield from _secrets(inner, inside=True)
        case dict():
            for item in value.values():
                yield from _secrets(item, inside)
        case list():
            for item in value:
                yield from _secrets(item, inside)
        case str() if inside:
            yield value


def _work(inputs: Properties) -> Properties:
    """The inputs as plain values, without those that were given as nothing."""
    plain: Properties = reveal(inputs)
    return {name: value for name, value in plain.items() if value is not None and name != _MADE_UP}


def _named(urn: str, olds: Properties, inputs: Properties) -> Properties:
    kept = olds.get("name") if "name" in (olds.get(_MADE_UP) or []) else None
    name = kept or f"{urn.split('::')[3]}-{secrets.token_hex(4)[:7]}"
    return {**inputs, "name": name, _MADE_UP: ["name"]}


def _changes(kind: Kind, old: Properties, new: Properties) -> Iterator[str]:
    for name, given in kind.properties.items():
        if has_unknown(new.get(name)) or settled(given, old.get(name)) != settled(given, new.get(name)):
            yield name


def _other_image(olds: Properties, new: Properties) -> bool:
    """The plugin keeps the ID of a container's image and compares it with what is given: a name is always another."""
    return bool(olds.get("image") != reveal(new.get("image")))


def _difference(kind: Kind, changed: set[str], old: Properties, new: Properties) -> Any:
    replaces = sorted(name for name in changed if not kind.properties[name].in_place)
    return wire.DiffResponse(
        changes=wire.DiffResponse.DIFF_SOME if changed else wire.DiffResponse.DIFF_NONE,
        replaces=replaces,
        diffs=sorted(changed),
        # Two of one name cannot stand beside each other; a name that is made up could, and the old one goes last.
        deleteBeforeReplace=kind.named and _MADE_UP not in new,
        hasDetailedDiff=True,
        detailedDiff={
            name: wire.PropertyDiff(kind=_how(name in replaces, name in old, name in new), inputDiff=True)
            for name in changed
        },
    )


def _how(replaces: bool, before: bool, now: bool) -> Any:
    word = "UPDATE" if before and now else "ADD" if now else "DELETE" if before else "UPDATE"
    return wire.PropertyDiff.Kind.Value(f"{word}_REPLACE" if replaces else word)


def _state(inputs: Properties, outputs: Properties) -> Properties:
    return {name: value for name, value in {**inputs, **outputs}.items() if name != _MADE_UP}


def _foreseen(kind: Kind, inputs: Properties, olds: Properties) -> Properties:
    return _state(inputs, {name: olds.get(name, UNKNOWN) for name in kind.computed})
