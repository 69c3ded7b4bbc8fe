"""Pulumi's ResourceProvider service over Azure Resource Manager."""

from __future__ import annotations

import json
import secrets
import traceback
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, plugin_pb2
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from hybrid.provider.properties import UNKNOWN, Properties, decode, encode, has_unknown, reveal
from hybrid.provider.report import EngineLog
from hybrid.redaction import redact
from tests.standins.azure.plugin.client import ArmClient, ArmError
from tests.standins.azure.plugin.types import TYPES, ArmType, sdk_version, version_of
from tests.standins.kubernetes.changes import changed

SAYS: Final = "azure-native: STAND-IN for Pulumi's plugin (tests/standins/azure)"
_SUBSCRIPTIONS: Final = "2022-12-01"

Answer = TypeVar("Answer")


class Provider(ResourceProviderServicer):
    """The service."""

    def __init__(self, log: EngineLog) -> None:
        self._log = log
        self._settings: Properties = {}

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=sdk_version())

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.GetSchemaResponse(schema=json.dumps({"name": "azure-native", "version": sdk_version()}))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = reveal(decode(request.olds)), reveal(decode(request.news))
        other = old.get("subscriptionId") != new.get("subscriptionId")
        changes = wire.DiffResponse.DIFF_SOME if other else wire.DiffResponse.DIFF_NONE
        return wire.DiffResponse(changes=changes, replaces=["subscriptionId"] if other else [])

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._settings = reveal(decode(request.args))
        self._log.write("", engine_pb2.WARNING, SAYS)
        return wire.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        def invoke() -> Any:
            asked = reveal(decode(request.args))
            return wire.InvokeResponse(**{"return": encode(self._told(request.tok, asked))})

        return self._answered(context, invoke)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        def check() -> Any:
            of, inputs, olds = _type_of(request.urn), decode(request.news), reveal(decode(request.olds))
            if inputs.get(of.own_name) is None:
                inputs[of.own_name] = olds.get(of.own_name) or f"{request.urn.split('::')[3]}{secrets.token_hex(4)}"
            return wire.CheckResponse(inputs=encode(inputs))

        return self._answered(context, check)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        def diff() -> Any:
            of = _type_of(request.urn)
            old, new = reveal(decode(request.old_inputs)), reveal(decode(request.news))
            ignored = tuple(request.ignoreChanges)
            paths = [path for path in changed(old, new) if not path.startswith(ignored or ("\0",))]
            roots = sorted({path.split(".")[0].split("[")[0] for path in paths})
            anew = [name for name in roots if name in (*of.parameters, *of.fixed)]
            return wire.DiffResponse(
                changes=wire.DiffResponse.DIFF_SOME if paths else wire.DiffResponse.DIFF_NONE,
                replaces=anew,
                diffs=roots,
                deleteBeforeReplace=bool(anew),
            )

        return self._answered(context, diff)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        def create() -> Any:
            inputs = decode(request.properties)
            of = _type_of(request.urn)
            if request.preview:
                return wire.CreateResponse(properties=encode(_foreseen(of, inputs)))
            known = reveal(inputs)
            id_ = of.id(known, self._subscription)
            if self._arm.get(id_, of.version) is not None and not of.path.endswith("{blobServicesName}"):
                raise ArmError(f"{id_} is there already; `import` takes it over")
            found = self._arm.put(id_, of.version, of.body(known), request.timeout)
            return wire.CreateResponse(id=str(found["id"]), properties=encode(of.outputs(found)))

        return self._answered(context, create)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        def read() -> Any:
            of, given = _type_of(request.urn), decode(request.inputs)
            found = self._arm.get(request.id, of.version)
            if found is None:
                return wire.ReadResponse()
            outputs = of.outputs(found)
            seen = {name: _seen(value, outputs.get(name)) for name, value in given.items()}
            if "tags" in given:
                seen["tags"] = {tag: text for tag, text in seen["tags"].items() if tag in (outputs.get("tags") or {})}
            return wire.ReadResponse(id=request.id, inputs=encode(seen), properties=encode(outputs))

        return self._answered(context, read)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        def update() -> Any:
            of, inputs = _type_of(request.urn), decode(request.news)
            if request.preview:
                return wire.UpdateResponse(properties=encode({**decode(request.olds), **_foreseen(of, inputs)}))
            found = self._arm.put(request.id, of.version, of.body(reveal(inputs)), request.timeout)
            return wire.UpdateResponse(properties=encode(of.outputs(found)))

        return self._answered(context, update)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        def delete() -> Any:
            of = _type_of(request.urn)
            if not of.path.endswith("{blobServicesName}"):  # goes with its account, and not alone
                self._arm.delete(request.id, of.version, request.timeout)
            return empty_pb2.Empty()

        return self._answered(context, delete)

    @cached_property
    def _arm(self) -> ArmClient:
        return ArmClient()

    @property
    def _subscription(self) -> str:
        return str(self._settings["subscriptionId"])

    def _told(self, token: str, asked: Mapping[str, Any]) -> Properties:
        match token:
            case "azure-native:authorization:getClientConfig":
                found = self._arm.get(f"/subscriptions/{self._subscription}", _SUBSCRIPTIONS) or {}
                known = {"subscriptionId": self._subscription, "tenantId": found.get("tenantId")}
                return {**known, "clientId": "of-the-login", "objectId": "of-the-login"}
            case "azure-native:operationalinsights:getSharedKeys":
                workspace = TYPES["azure-native:operationalinsights:Workspace"].id(asked, self._subscription)
                return self._arm.post(f"{workspace}/sharedKeys", version_of("operationalinsights:getSharedKeys"))
        raise ArmError(f"the stand-in has no function {token}")

    def _answered(self, context: grpc.ServicerContext, work: Callable[[], Answer]) -> Answer:
        try:
            return work()
        except (ArmError, LookupError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, redact(str(error)))
        except Exception as error:
            place = "".join(traceback.format_exception(error)[-4:])
            context.abort(grpc.StatusCode.INTERNAL, redact(f"Fault in the stand-in: {error}\n{place}"))
        raise AssertionError("abort always raises")


def _type_of(urn: str) -> ArmType:
    token = urn.split("::")[2].rpartition("$")[2]
    found = TYPES.get(token)
    if found is None:
        raise ArmError(f"the stand-in has no type {token}")
    return found


def _foreseen(of: ArmType, inputs: Properties) -> Properties:
    """What is known before: what is given, and the name."""
    name = inputs.get(of.own_name)
    return {**of.outputs(of.body(inputs)), "name": UNKNOWN if has_unknown(name) else name}


def _seen(given: Any, live: Any) -> Any:
    """``given``, with the values that ``live`` has in their place: what somebody else has changed shows. What Azure
    shows nobody stays as it was given."""
    if isinstance(given, Mapping) and isinstance(live, Mapping):
        return {key: _seen(value, live.get(key)) for key, value in given.items()}
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        return [_seen(one, other) for one, other in zip(given, live, strict=True)]
    return given if live is None or type(given) is not type(live) else live
