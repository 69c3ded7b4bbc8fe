"""Pulumi's ResourceProvider service: decodes a request, hands it to the resource of its type, encodes the answer.

Source of the protocol: proto/pulumi/provider.proto of Pulumi 3.259.
"""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from hybrid import __version__
from hybrid.errors import HybridError
from hybrid.provider import schema
from hybrid.provider.definition import Definition, record_failures
from hybrid.provider.difference import Change
from hybrid.provider.properties import UNKNOWN, Properties, Secret, decode, encode, has_unknown, reveal
from hybrid.provider.report import EngineLog, ResourceReport
from hybrid.provider.resource import Call, PartialError, Resource
from hybrid.redaction import redact, register

_KINDS: Final = {
    ("add", False): wire.PropertyDiff.ADD,
    ("add", True): wire.PropertyDiff.ADD_REPLACE,
    ("delete", False): wire.PropertyDiff.DELETE,
    ("delete", True): wire.PropertyDiff.DELETE_REPLACE,
    ("update", False): wire.PropertyDiff.UPDATE,
    ("update", True): wire.PropertyDiff.UPDATE_REPLACE,
}

Answer = TypeVar("Answer")


class Provider(ResourceProviderServicer):
    """The service over a set of resource types.

    ``cancelled`` is set by the engine's Cancel (Ctrl-C, and the engine's own end) and stops what waits.
    """

    def __init__(self, resources: Mapping[str, Resource], log: EngineLog, cancelled: threading.Event) -> None:
        self._resources = resources
        self._log = log
        self._cancelled = cancelled

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=__version__)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        definitions = [resource.definition for resource in self._resources.values()]
        return wire.GetSchemaResponse(schema=json.dumps(schema.package(definitions)))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.DiffResponse(changes=wire.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._cancelled.set()
        return empty_pb2.Empty()

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        def check() -> Any:
            resource = self._of(request.urn)
            inputs = resource.definition.complete(_received(request.news))
            failures = list(record_failures(resource.definition.inputs, inputs))
            failures = failures or resource.check(reveal(inputs))
            if not failures:
                inputs = resource.completed(inputs, _received(request.olds), self._call(request.urn))
            return wire.CheckResponse(
                inputs=encode(inputs),
                failures=[wire.CheckFailure(property=found.path, reason=redact(found.reason)) for found in failures],
            )

        return self._answered(context, check)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        def diff() -> Any:
            resource = self._of(request.urn)
            found = resource.diff(_received(request.old_inputs), _received(request.olds), _received(request.news))
            kept = [change for change in found if not _is_ignored(change.path, request.ignoreChanges)]
            return _difference(resource.definition, kept, request.news.fields.keys())

        return self._answered(context, diff)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        def create() -> Any:
            resource, inputs = self._of(request.urn), _received(request.properties)
            if request.preview:
                return wire.CreateResponse(properties=encode(_foreseen(resource, inputs)))
            made = resource.create(reveal(inputs), self._call(request.urn))
            return wire.CreateResponse(id=made.id, properties=encode(_state(resource.definition, inputs, made.outputs)))

        return self._answered(context, create, request.urn, request.properties)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        def read() -> Any:
            resource, inputs = self._of(request.urn), _received(request.inputs)
            outputs = reveal(_received(request.properties))
            if inputs:
                inputs = resource.definition.complete(inputs)  # state may be of a version with fewer inputs
            elif resource.import_refusal is not None:
                raise _not_importable(resource, request.id)
            found = resource.read(request.id, reveal(inputs), outputs, self._call(request.urn))
            if found is None:
                return wire.ReadResponse()
            inputs = resource.definition.complete({**inputs, **found.inputs})
            state = _state(resource.definition, inputs, _own(resource.definition, {**outputs, **found.outputs}))
            return wire.ReadResponse(id=found.id, inputs=encode(inputs), properties=encode(state))

        return self._answered(context, read)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        def update() -> Any:
            resource, inputs = self._of(request.urn), _received(request.news)
            if request.preview:
                return wire.UpdateResponse(properties=encode(_foreseen(resource, inputs)))
            outputs = reveal(_received(request.olds))
            made = resource.update(request.id, outputs, reveal(inputs), self._call(request.urn))
            return wire.UpdateResponse(properties=encode(_state(resource.definition, inputs, made.outputs)))

        return self._answered(context, update, request.urn, request.news)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        def delete() -> Any:
            resource = self._of(request.urn)
            inputs = reveal(resource.definition.complete(_received(request.old_inputs)))
            resource.delete(request.id, inputs, reveal(_received(request.properties)), self._call(request.urn))
            return empty_pb2.Empty()

        return self._answered(context, delete)

    def _of(self, urn: str) -> Resource:
        token = urn.split("::")[2].rpartition("$")[2]
        if token not in self._resources:
            raise HybridError(
                f"There is no resource type '{token}'.",
                why=f"This provider, version {__version__}, has {', '.join(sorted(self._resources))}.",
                next_step="check that program and provider come from the same checkout.",
            )
        return self._resources[token]

    def _call(self, urn: str) -> Call:
        return Call(report=ResourceReport(self._log, urn), cancelled=self._cancelled)

    def _answered(
        self, context: grpc.ServicerContext, work: Callable[[], Answer], urn: str = "", inputs: Any = None
    ) -> Answer:
        """The answer of ``work``, or its error as a gRPC status whose text a person can act on."""
        try:
            return work()
        except PartialError as error:
            self._end_partial(context, error, urn, inputs)
        except HybridError as error:
            context.abort(grpc.StatusCode.UNKNOWN, redact(error.sentence()))
        except Exception as error:  # a fault of ours: told with its place, or the engine would show nothing of it
            place = "".join(traceback.format_exception(error)[-4:])
            context.abort(grpc.StatusCode.INTERNAL, redact(f"Fault in the provider: {error}\n{place}"))

    def _end_partial(self, context: grpc.ServicerContext, error: PartialError, urn: str, inputs: Any) -> NoReturn:
        given = _received(inputs)
        text = redact(error.sentence())
        detail = wire.ErrorResourceInitFailed(
            id=error.id,
            properties=encode(_state(self._of(urn).definition, given, error.outputs)),
            reasons=[text],
            inputs=encode(given),
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        code: int = grpc.StatusCode.UNKNOWN.value[0]
        status = status_pb2.Status(code=code, message=text, details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, text)


def _not_importable(resource: Resource, id: str) -> HybridError:
    return HybridError(
        f"The {resource.definition.name} '{id}' cannot be imported.",
        why=resource.import_refusal,
        next_step="declare it in the program and run `up`, which adopts what it can.",
    )


def _received(struct: Any) -> Properties:
    """The properties of a request; its secrets are not printed from now on."""
    properties = decode(struct)
    _register_secrets(properties)
    return properties


def _register_secrets(value: Any, secret: bool = False) -> None:
    match value:
        case Secret(value=inner):
            _register_secrets(inner, secret=True)
        case dict():
            for item in value.values():
                _register_secrets(item, secret)
        case list():
            for item in value:
                _register_secrets(item, secret)
        case str() if secret:
            register(value)
        case _:
            pass


def _state(definition: Definition, inputs: Properties, outputs: Properties) -> Properties:
    """What the engine keeps: the inputs as given, and the outputs with their secrets marked."""
    secret = definition.secrets()
    marked = {name: Secret(value) if name in secret else value for name, value in outputs.items()}
    return {**inputs, **marked}


def _own(definition: Definition, outputs: Properties) -> Properties:
    return {name: value for name, value in outputs.items() if name in definition.outputs}


def _foreseen(resource: Resource, inputs: Properties) -> Properties:
    known = {} if has_unknown(inputs) else resource.foreseen(reveal(inputs))
    outputs = {name: known.get(name, UNKNOWN) for name in resource.definition.outputs}
    return _state(resource.definition, inputs, outputs)


def _difference(definition: Definition, changes: list[Change], given: Iterable[str]) -> Any:
    inputs = {*definition.inputs, *given}
    return wire.DiffResponse(
        changes=wire.DiffResponse.DIFF_SOME if changes else wire.DiffResponse.DIFF_NONE,
        replaces=sorted({change.path for change in changes if change.replaces}),
        diffs=sorted({_top(change.path) for change in changes}),
        deleteBeforeReplace=definition.delete_before_replace,
        hasDetailedDiff=True,
        detailedDiff={
            change.path: wire.PropertyDiff(
                kind=_KINDS[change.how, change.replaces], inputDiff=_top(change.path) in inputs
            )
            for change in changes
        },
    )


def _is_ignored(path: str, ignored: Iterable[str]) -> bool:
    return any(path == given or path.startswith((f"{given}.", f"{given}[")) for given in ignored)


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]
