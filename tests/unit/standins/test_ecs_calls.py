"""What the double of ECS makes of a request: service, operation and parameters by botocore's names, for each of AWS's
protocols; and refusals that boto3 reads as AWS's."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from tests.standins.ecs import aws_calls
from tests.standins.ecs.aws_calls import AwsCall
from tests.standins.ecs.record import RecordedCall

pytestmark = pytest.mark.unit


class Door:
    """Takes what boto3 would send, and answers it by a refusal."""

    def __init__(self) -> None:
        self.call: AwsCall | None = None

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body.read() if hasattr(body, "read") else bytes(body)
        url = urlsplit(request.url)
        headers = {name.upper().replace("-", "_"): _text(value) for name, value in request.headers.items()}
        environ = {f"HTTP_{name}": value for name, value in headers.items()}
        environ |= {"CONTENT_TYPE": headers.get("CONTENT_TYPE", ""), "REQUEST_METHOD": request.method}
        environ |= {"PATH_INFO": url.path, "QUERY_STRING": url.query, "SERVER_NAME": "x", "SERVER_PORT": "80"}
        environ |= {"wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "RAW_URI": f"{url.path}?{url.query}"}
        self.call = aws_calls.read(environ, body)
        assert self.call is not None
        status, kind, said = aws_calls.refusal(self.call, "User: x is not authorized to perform: y")
        return AWSResponse(request.url, int(status.split()[0]), {"Content-Type": kind}, _Raw(said))


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def refused(service: str, method: str, **params: Any) -> tuple[AwsCall, str]:
    """The call as it was read, and the code of the error that boto3 raised."""
    door = Door()
    client: Any = boto3
    made = client.client(service, region_name="eu-west-1", endpoint_url="http://x", aws_access_key_id="AK",
                         aws_secret_access_key="s")  # fmt: skip
    made.meta.events.register("before-send", door)
    with pytest.raises(ClientError) as error:
        getattr(made, method)(**params)
    assert door.call is not None
    return door.call, error.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("service", "method", "params", "operation", "code"),
    [
        ("ecs", "describe_services", {"cluster": "c", "services": ["s"]}, "DescribeServices", "AccessDeniedException"),
        ("resourcegroupstaggingapi", "get_resources", {"ResourceTypeFilters": ["ecs:service"]}, "GetResources",
         "AccessDeniedException"),
        ("iam", "get_role", {"RoleName": "r"}, "GetRole", "AccessDenied"),
        ("ec2", "describe_route_tables", {"RouteTableIds": ["rtb-1"]}, "DescribeRouteTables", "UnauthorizedOperation"),
        ("s3", "put_object", {"Bucket": "b", "Key": "a/b.txt", "Body": b"x"}, "PutObject", "AccessDenied"),
        ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": "p/"}, "ListObjectsV2", "AccessDenied"),
        ("lambda", "get_function", {"FunctionName": "f"}, "GetFunction", "AccessDeniedException"),
    ],
    ids=["json", "json by another signing name", "query", "ec2", "rest-xml", "rest-xml by its query", "rest-json"],
)  # fmt: skip
def test_a_request_is_read_and_refused_in_its_protocol(
    service: str, method: str, params: dict[str, Any], operation: str, code: str
) -> None:
    call, said = refused(service, method, **params)

    assert (call.service, call.operation, call.region, call.access_key) == (service, operation, "eu-west-1", "AK")
    assert {name: call.params.get(name) for name in params if name != "Body"} == {
        name: value for name, value in params.items() if name != "Body"
    }
    assert said == code, "the agent looks at the code of an error"


def test_what_bears_no_signature_is_no_call() -> None:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO()}
    assert aws_calls.read(environ, b"") is None


def test_a_recorded_call_hides_secrets_and_is_read_back() -> None:
    params = {"SecretId": "a", "SecretString": "hush", "Body": b"12345", "nested": [{"SecretString": "hush"}]}
    line = RecordedCall(1.0, None, None, "secretsmanager", "PutSecretValue", params, True, needed=("a b",)).line()

    assert "hush" not in line
    assert json.loads(line)["params"]["Body"] == "<5 bytes>"
    assert RecordedCall.read(line).needed == ("a b",)
