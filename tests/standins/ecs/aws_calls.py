"""AWS's calls as HTTP carries them: which one a request is, and how a refusal is written in its protocol."""

from __future__ import annotations

import functools
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_router_class
from moto.core.utils import get_service_model

_CREDENTIAL: Final = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
_NAMES: Final = {
    "tagging": "resourcegroupstaggingapi",
    "elasticfilesystem": "efs",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "route53resolver": "route53resolver",
}
"""botocore's name of a service whose signatures bear another."""


@dataclass(frozen=True)
class AwsCall:
    """A request. ``service`` and ``operation`` are botocore's names; ``params`` as boto3 was given them."""

    access_key: str
    region: str
    service: str
    operation: str
    params: Mapping[str, Any]
    protocol: str


def read(environ: Mapping[str, Any], body: bytes) -> AwsCall | None:
    """The call that a request is; None for what bears no signature, or is no operation that botocore knows."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signed is None:
        return None
    access_key, region, signing_name = signed.groups()
    service = _NAMES.get(signing_name, signing_name)
    request = Request({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    model = get_service_model(service)
    protocol = determine_request_protocol(model, request.content_type)
    try:
        operation, in_path = _router(service, protocol).match(request)
    except Exception:
        return None
    parsed = PROTOCOL_PARSERS[protocol](operation).parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": b"" if service == "s3" else body,  # what is stored is nobody's business here
            "url_path": request.path,
            "url_params": in_path,
        }
    )
    return AwsCall(access_key, region, service, operation.name, parsed, protocol)


def refusal(call: AwsCall, message: str) -> tuple[str, str, bytes]:
    """Status line, type and body of AWS's answer to who may not."""
    text = escape(message)
    if call.protocol == "ec2":
        body = f"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>{text}</Message></Error></Errors>"
        return "403 Forbidden", "text/xml", f"{body}<RequestID>0</RequestID></Response>".encode()
    if call.protocol == "query":
        body = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{text}</Message></Error>"
        return "403 Forbidden", "text/xml", f"<ErrorResponse>{body}<RequestId>0</RequestId></ErrorResponse>".encode()
    if call.protocol == "rest-xml":
        body = f"<Error><Code>AccessDenied</Code><Message>{text}</Message><RequestId>0</RequestId></Error>"
        return "403 Forbidden", "application/xml", body.encode()
    said = json.dumps({"__type": "AccessDeniedException", "message": message, "Message": message}).encode()
    status = "403 Forbidden" if call.protocol == "rest-json" else "400 Bad Request"
    return status, "application/x-amz-json-1.1", said


@functools.cache
def _router(service: str, protocol: str) -> Any:
    found = get_router_class(service, protocol)
    if found is None:
        raise LookupError(f"moto routes nothing of {service} by {protocol}")
    return found(get_service_model(service))
