"""Pulumi's ResourceProvider service over the listed types."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import engine_pb2, plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as wire
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from hybrid.provider.properties import decode, encode, reveal
from hybrid.provider.report import EngineLog
from hybrid.redaction import redact, register
from tests.standins.aws import book, catalog, configuration, convert
from tests.standins.aws.book import Book
from tests.standins.aws.convert import RefusedError, ShapeError
from tests.standins.aws.function import Function
from tests.standins.aws.resource import PartialError, Resource
from tests.standins.aws.terraform import Binary, Terraform, TerraformError

VERSION: Final = "7.51.1"
Answer = TypeVar("Answer")


class Provider(ResourceProviderServicer):
    """The service. One provider of HashiCorp's runs behind it, with the settings of one provider of the program."""

    def __init__(self, log: EngineLog, binary: Binary, terraform: Terraform, environ: Mapping[str, str]) -> None:
        self._log = log
        self._binary = binary
        self._terraform = terraform
        self._environ = environ
        self._lock = threading.Lock()
        self._kept: Book | None = None
        self._region = ""

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.ProviderHandshakeResponse(accept_secrets=False, accept_resources=False, accept_outputs=False)

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return wire.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": VERSION}))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        def check() -> Any:
            shape = self._book()[book.PROVIDER].shape
            settings = configuration.read(shape, decode(request.news))
            failures = [
                wire.CheckFailure(property=path, reason=f"The stand-in for Pulumi's aws plugin does not map '{path}'.")
                for path in convert.unmapped(shape, settings)
            ]
            return wire.CheckResponse(inputs=request.news, failures=failures)

        return self._answered(context, check)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new = (reveal(decode(given)) for given in (request.old_inputs, request.news))
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return wire.DiffResponse(
            changes=wire.DiffResponse.DIFF_SOME if changed else wire.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=[name for name in changed if name == "region"],  # nothing moves to another region
        )

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        def configure() -> Any:
            shape = self._book()[book.PROVIDER].shape
            settings = configuration.read(shape, decode(request.args))
            for name in ("secretKey", "token"):
                register(str(settings.get(name) or ""))
            self._region = configuration.region(settings, self._environ)
            configuration.configure(self._terraform, shape, settings, self._environ)
            told = (
                f"aws: stand-in for Pulumi's plugin (tests/standins/aws, HashiCorp's provider {self._binary.version})"
            )
            self._log.write("", engine_pb2.INFO, told)
            return wire.ConfigureResponse(
                acceptSecrets=False, supportsPreview=True, acceptResources=False, acceptOutputs=False
            )

        return self._answered(context, configure)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._terraform.stop()
        return empty_pb2.Empty()

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        def check() -> Any:
            old, new = decode(request.olds), decode(request.news)
            name = request.urn.rpartition("::")[2]
            inputs, faults = self._resource(request.urn).check(name, old, new, request.randomSeed)
            failures = [wire.CheckFailure(property=path, reason=redact(text)) for path, text in faults.items()]
            return wire.CheckResponse(inputs=encode(inputs), failures=failures)

        return self._answered(context, check)

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        def diff() -> Any:
            old, new = decode(request.olds), decode(request.news)
            found = self._resource(request.urn).diff(request.id, old, new, list(request.ignoreChanges))
            tops = {path: path.partition(".")[0].partition("[")[0] for path in found.paths}
            return wire.DiffResponse(
                changes=wire.DiffResponse.DIFF_SOME if found.some else wire.DiffResponse.DIFF_NONE,
                replaces=found.replaces,
                diffs=sorted(set(tops.values())),
                deleteBeforeReplace=found.delete_first,
                hasDetailedDiff=True,
                detailedDiff={
                    path: wire.PropertyDiff(kind=_how(how, tops[path] in found.replaces))
                    for path, how in found.paths.items()
                },
            )

        return self._answered(context, diff)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        def create() -> Any:
            resource, inputs = self._resource(request.urn), decode(request.properties)
            made = resource.create(inputs, request.timeout, request.preview)
            return wire.CreateResponse(id=made.id, properties=encode(made.outputs))

        return self._answered(context, create, request.properties)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        def read() -> Any:
            resource, inputs = self._resource(request.urn), decode(request.inputs)
            found = resource.read(request.id, decode(request.properties), inputs)
            if found is None:
                return wire.ReadResponse()
            return wire.ReadResponse(id=found.id, inputs=encode(found.inputs), properties=encode(found.outputs))

        return self._answered(context, read)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        def update() -> Any:
            resource, ignored = self._resource(request.urn), list(request.ignoreChanges)
            old, new = decode(request.olds), decode(request.news)
            made = resource.update(request.id, old, new, ignored, request.timeout, request.preview)
            return wire.UpdateResponse(properties=encode(made.outputs))

        return self._answered(context, update, request.news)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        def delete() -> Any:
            self._resource(request.urn).delete(request.id, decode(request.properties), request.timeout)
            return empty_pb2.Empty()

        return self._answered(context, delete)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        def invoke() -> Any:
            if request.tok not in catalog.FUNCTIONS:
                raise RefusedError(f"The stand-in for Pulumi's aws plugin has no {request.tok} (tests/standins/aws).")
            function = Function(request.tok, self._book()[request.tok], self._terraform, self._region)
            answer = wire.InvokeResponse()
            getattr(answer, "return").CopyFrom(encode(function.call(reveal(decode(request.args)))))
            return answer

        return self._answered(context, invoke)

    def _resource(self, urn: str) -> Resource:
        token = urn.split("::")[2].rpartition("$")[2]
        if token not in catalog.RESOURCES:
            raise RefusedError(f"The stand-in for Pulumi's aws plugin has no {token} (tests/standins/aws).")

        def warn(text: str) -> None:
            self._log.write(urn, engine_pb2.WARNING, text)

        entry = self._book()[token]
        return Resource(token, catalog.RESOURCES[token], entry, self._terraform, self._region, warn)

    def _book(self) -> Book:
        with self._lock:
            if self._kept is None:
                self._kept = book.load(self._binary, self._terraform, self._environ)
            return self._kept

    def _answered(self, context: grpc.ServicerContext, work: Callable[[], Answer], inputs: Any = None) -> Answer:
        try:
            return work()
        except PartialError as error:
            _end_partial(context, error, inputs)
        except (TerraformError, ShapeError, RefusedError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, redact(str(error)))
        except Exception as error:
            place = "".join(traceback.format_exception(error)[-4:])
            context.abort(grpc.StatusCode.INTERNAL, redact(f"Fault in the stand-in: {error}\n{place}"))
        raise AssertionError("abort always raises")


def _how(word: str, replaces: bool) -> Any:
    return wire.PropertyDiff.Kind.Value(f"{word}_REPLACE" if replaces else word)


def _end_partial(context: grpc.ServicerContext, error: PartialError, inputs: Any) -> None:
    text = redact(str(error))
    detail = wire.ErrorResourceInitFailed(id=error.id, properties=encode(error.outputs), reasons=[text], inputs=inputs)
    packed = any_pb2.Any()
    packed.Pack(detail)
    code: int = grpc.StatusCode.UNKNOWN.value[0]
    status = status_pb2.Status(code=code, message=text, details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, text)
