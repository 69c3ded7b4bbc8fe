"""Pulumi's ResourceProvider service over any kind of object that the cluster's own API has."""

from __future__ import annotations

import json
import secrets
import traceback
from collections.abc import Callable
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import engine_pb2, plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from hybrid.provider.properties import Properties, Secret, decode, encode, has_unknown, reveal
from hybrid.provider.report import EngineLog
from hybrid.redaction import redact
from tests.standins.kubernetes.changes import as_found, changed, replaces
from tests.standins.kubernetes.objects import ObjectError, Objects

VERSION: Final = "4.34.2"
SAYS: Final = "kubernetes: stand-in for Pulumi's plugin (tests/standins/kubernetes)"
_HIDDEN: Final = ("data", "stringData")

Answer = TypeVar("Answer")


class Provider(ResourceProviderServicer):
    """The service."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log
        self._settings: Properties = {}
        self._made: Objects | None = None

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.GetSchemaResponse(schema=json.dumps({"name": "kubernetes", "version": VERSION}))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = reveal(decode(request.olds)), reveal(decode(request.news))
        other = old.get("clusterIdentifier") != new.get("clusterIdentifier")
        return wire.DiffResponse(
            changes=wire.DiffResponse.DIFF_SOME if other else wire.DiffResponse.DIFF_NONE,
            replaces=["clusterIdentifier"] if other else [],
        )

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._settings = reveal(decode(request.args))
        self._log.write("", engine_pb2.INFO, SAYS)
        return wire.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        def check() -> Any:
            inputs, olds = decode(request.news), reveal(decode(request.olds))
            meta = dict(inputs.get("metadata") or {})
            if meta.get("name") is None:
                kept = (olds.get("metadata") or {}).get("name")
                meta["name"] = kept or f"{request.urn.split('::')[3]}-{secrets.token_hex(4)}"
            return wire.CheckResponse(inputs=encode({**inputs, "metadata": meta}))

        return self._answered(context, check)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        def diff() -> Any:
            old, new = reveal(decode(request.old_inputs)), reveal(decode(request.news))
            ignored = tuple(request.ignoreChanges)
            paths = [path for path in changed(old, new) if not path.startswith(ignored or ("\0",))]
            anew = replaces(str(new.get("kind")), paths, self._settings)
            kinds = wire.PropertyDiff.Kind
            return wire.DiffResponse(
                changes=wire.DiffResponse.DIFF_SOME if paths else wire.DiffResponse.DIFF_NONE,
                replaces=anew, diffs=sorted({path.split(".")[0].split("[")[0] for path in paths}),
                deleteBeforeReplace=True, hasDetailedDiff=True,
                detailedDiff={
                    path: wire.PropertyDiff(kind=kinds.UPDATE_REPLACE if path in anew else kinds.UPDATE, inputDiff=True)
                    for path in paths
                },
            )  # fmt: skip

        return self._answered(context, diff)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        def create() -> Any:
            inputs = decode(request.properties)
            if request.preview:
                return wire.CreateResponse(properties=encode(self._foreseen(inputs)))
            live = self._applied(reveal(inputs), request.timeout)
            return wire.CreateResponse(id=_id(live), properties=encode(_state(live)))

        return self._answered(context, create)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        def read() -> Any:
            given, before = decode(request.inputs), reveal(decode(request.properties))
            manifest = reveal(given) or {**before, "metadata": _named(request.id)}
            live = self._objects.read(manifest)
            if live is None:
                return wire.ReadResponse()
            inputs = _hidden(as_found(_readable(manifest), live) | _written_only(manifest)) if given else live
            return wire.ReadResponse(id=_id(live), inputs=encode(inputs), properties=encode(_state(live)))

        return self._answered(context, read)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        def update() -> Any:
            inputs = decode(request.news)
            if request.preview:
                return wire.UpdateResponse(properties=encode(self._foreseen(inputs)))
            return wire.UpdateResponse(properties=encode(_state(self._applied(reveal(inputs), request.timeout))))

        return self._answered(context, update)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        def delete() -> Any:
            manifest = reveal(decode(request.old_inputs)) or reveal(decode(request.properties))
            self._objects.delete(manifest, request.timeout)
            return empty_pb2.Empty()

        return self._answered(context, delete)

    @property
    def _objects(self) -> Objects:
        if self._made is None:
            self._made = Objects(self._settings.get("kubeconfig"), self._settings.get("context"))
        return self._made

    def _applied(self, manifest: Properties, seconds: float) -> dict[str, Any]:
        live = self._objects.apply(_plain(manifest), dry_run=False)
        try:
            self._objects.await_ready(manifest, seconds)
        except ObjectError as error:
            raise _HalfError(str(error), live, manifest) from None
        return live

    def _foreseen(self, inputs: Properties) -> Properties:
        """What an update would make: as the API server sees it, where all is known and the namespace is there."""
        if has_unknown(inputs):
            return inputs
        try:
            return _state(self._objects.apply(_plain(reveal(inputs)), dry_run=True))
        except ObjectError as error:
            if error.status == 404 and "namespaces" in str(error):
                return inputs
            raise

    def _answered(self, context: grpc.ServicerContext, work: Callable[[], Answer]) -> Answer:
        try:
            return work()
        except _HalfError as error:
            _end_half(context, error)
        except ObjectError as error:
            context.abort(grpc.StatusCode.UNKNOWN, redact(str(error)))
        except Exception as error:
            place = "".join(traceback.format_exception(error)[-4:])
            context.abort(grpc.StatusCode.INTERNAL, redact(f"Fault in the stand-in: {error}\n{place}"))
        raise AssertionError("abort always raises")


class _HalfError(Exception):
    """It is there, and is not ready: the engine keeps it, and the next update goes on."""

    def __init__(self, text: str, live: dict[str, Any], manifest: Properties) -> None:
        super().__init__(text)
        self.live, self.manifest = live, manifest


def _end_half(context: grpc.ServicerContext, error: _HalfError) -> None:
    detail = wire.ErrorResourceInitFailed(
        id=_id(error.live), properties=encode(_state(error.live)), reasons=[redact(str(error))],
        inputs=encode(_hidden(error.manifest)),
    )  # fmt: skip
    packed = any_pb2.Any()
    packed.Pack(detail)
    code: int = grpc.StatusCode.UNKNOWN.value[0]
    status = status_pb2.Status(code=code, message=redact(str(error)), details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, redact(str(error)))


def _id(live: Properties) -> str:
    meta = live["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def _named(id_: str) -> dict[str, str]:
    namespace, _, name = id_.rpartition("/")
    return {"name": name, **({"namespace": namespace} if namespace else {})}


def _plain(manifest: Properties) -> Properties:
    """Without what is given as nothing: an applied null is a refused one in lists."""
    return {key: value for key, value in manifest.items() if value is not None}


def _state(live: Properties) -> Properties:
    meta = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    return _hidden({**live, "metadata": meta})


def _hidden(manifest: Properties) -> Properties:
    """What a Secret holds is secret in the state, whoever wrote it."""
    if manifest.get("kind") != "Secret":
        return manifest
    return {key: Secret(value) if key in _HIDDEN else value for key, value in manifest.items()}


def _readable(manifest: Properties) -> Properties:
    return {key: value for key, value in manifest.items() if key != "stringData"}


def _written_only(manifest: Properties) -> Properties:
    """``stringData`` is never read back."""
    return {key: value for key, value in manifest.items() if key == "stringData"}
