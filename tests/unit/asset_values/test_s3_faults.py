"""What S3, obstore and botocore say, as faults; names of places; keys that are renewed in time."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from asset_values.faults import Fault, FaultKind
from asset_values.stores import credentials
from asset_values.stores.credentials import AccessKeys, DefaultChain, TaskCredentials
from asset_values.stores.places import S3Place
from asset_values.stores.s3_faults import fault_of, one_line, refusal_of
from asset_values.stores.s3_multipart import part_size
from asset_values.stores.s3_reading import in_parts, read_ahead

pytestmark = pytest.mark.unit

PLACE = S3Place("values", "assets", region="eu-central-1")
SIGNED = "https://values.s3.amazonaws.com/k?X-Amz-Signature=abcdef&X-Amz-Security-Token=SECRET"


def of_botocore(code: str, status: int = 400, message: str = "told", **more: Any) -> ClientError:
    headers = more.pop("headers", {})
    meta = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code, "Message": message, **more}, "ResponseMetadata": meta}, "PutObject")  # type: ignore[typeddict-item]


def of_obstore(code: str, status: int = 400, message: str = "told", more: str = "") -> Exception:
    body = (
        f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>" if code else ""
    )
    return RuntimeError(
        f"Generic S3 error: Error performing GET {SIGNED} in 3ms, after 2 retries, max_retries: 2 - Server returned "
        f"non-2xx status code: {status} Whatever: {body}\n\nDebug source:\nGeneric {{ uri: Some({SIGNED}) }}"
    )


@pytest.mark.parametrize("make", [of_botocore, of_obstore])
@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchKey", 404, FaultKind.ABSENT),
        ("", 404, FaultKind.ABSENT),
        ("PreconditionFailed", 412, FaultKind.CHANGED),
        ("ConditionalRequestConflict", 409, FaultKind.CHANGED),
        ("OperationAborted", 409, FaultKind.UNREACHABLE),
        ("AccessDenied", 403, FaultKind.DENIED),
        ("InvalidAccessKeyId", 403, FaultKind.DENIED),
        ("SignatureDoesNotMatch", 403, FaultKind.DENIED),
        ("KMS.DisabledException", 400, FaultKind.DENIED),
        ("ExpiredToken", 400, FaultKind.EXPIRED),
        ("ExpiredTokenException", 400, FaultKind.EXPIRED),
        ("SlowDown", 503, FaultKind.THROTTLED),
        ("", 503, FaultKind.THROTTLED),
        ("", 429, FaultKind.THROTTLED),
        ("InternalError", 500, FaultKind.UNREACHABLE),
        ("", 502, FaultKind.UNREACHABLE),
        ("RequestTimeout", 400, FaultKind.UNREACHABLE),
        ("EntityTooLarge", 400, FaultKind.FULL),
        ("QuotaExceeded", 403, FaultKind.FULL),
        ("XMinioStorageFull", 507, FaultKind.FULL),
        ("", 507, FaultKind.FULL),
        ("NoSuchBucket", 404, FaultKind.MISPLACED),
        ("PermanentRedirect", 301, FaultKind.MISPLACED),
        ("AuthorizationHeaderMalformed", 400, FaultKind.MISPLACED),
        ("IllegalLocationConstraintException", 400, FaultKind.MISPLACED),
        ("KeyTooLongError", 400, FaultKind.UNUSABLE),
        ("BadDigest", 400, FaultKind.CORRUPT),
        ("InvalidObjectState", 400, FaultKind.OTHER),
        ("NotImplemented", 501, FaultKind.OTHER),
    ],
)
def test_a_refusal_is_of_one_kind_whichever_client_met_it(make: Any, code: str, status: int, kind: FaultKind) -> None:
    error = make(code or (str(status) if make is of_botocore else ""), status)
    fault = fault_of(error, PLACE, "s3:GetObject")
    assert fault.kind is kind
    assert (fault.action is not None) == (kind is FaultKind.DENIED)
    assert "\n" not in str(fault)
    assert "Signature" not in fault.reason.replace("SignatureDoesNotMatch", ""), "no signed address"
    assert "SECRET" not in fault.reason


def test_the_permission_that_is_missing_is_the_one_that_the_message_names() -> None:
    told = {
        "User: x is not authorized to perform: s3:PutObjectTagging on resource y": "s3:PutObjectTagging",
        "not authorized to perform: kms:Decrypt because no policy": "kms:Decrypt",
        "The KMS key is not accessible": "kms:GenerateDataKey",
        "Access Denied": "s3:PutObject",
    }
    for message, action in told.items():
        assert fault_of(of_obstore("AccessDenied", 403, message), PLACE, "s3:PutObject").action == action
    assert fault_of(of_obstore("AccessDenied", 403, "KMS"), PLACE, "s3:GetObject").action == "kms:Decrypt"


def test_the_right_region_is_told_wherever_s3_says_it() -> None:
    errors = [
        of_botocore("PermanentRedirect", 301, headers={"x-amz-bucket-region": "us-west-2"}),
        of_obstore("PermanentRedirect", 301, more="<Region>us-west-2</Region>"),
        of_obstore("AuthorizationHeaderMalformed", 400, "the region 'eu-central-1' is wrong; expecting 'us-west-2'"),
    ]
    for error in errors:
        reason = fault_of(error, PLACE, "s3:GetObject").reason
        assert "us-west-2" in reason
        assert "eu-central-1" in reason
    bare = RuntimeError("Received redirect without LOCATION, this normally indicates an incorrectly configured region")
    assert fault_of(bare, PLACE, "s3:GetObject").kind is FaultKind.MISPLACED
    assert refusal_of(bare).is_unexplained, "it is asked for again by who is told more"


def test_what_gave_no_answer_is_unreachable_and_what_has_no_credentials_is_denied() -> None:
    connection = EndpointConnectionError(endpoint_url=SIGNED)
    fault = fault_of(connection, PLACE, "s3:GetObject")
    assert (fault.kind, "SECRET" in fault.reason) == (FaultKind.UNREACHABLE, False)
    sending = RuntimeError(
        f"Generic S3 error: Error performing GET {SIGNED} in 3ms - HTTP error: error sending request"
    )
    fault = fault_of(sending, PLACE, "s3:GetObject")
    assert (fault.kind, "error sending request" in fault.reason) == (FaultKind.UNREACHABLE, True)
    assert fault_of(NoCredentialsError(), PLACE, "s3:GetObject").kind is FaultKind.DENIED
    given_back = Fault(FaultKind.FULL, "full")
    assert fault_of(given_back, PLACE, "s3:GetObject") is given_back


def test_to_replace_what_has_gone_is_a_change() -> None:
    assert fault_of(of_obstore("NoSuchKey", 404), PLACE, "s3:PutObject").kind is FaultKind.CHANGED


@given(st.text())
def test_a_reason_is_one_short_line(text: str) -> None:
    line = one_line(text + SIGNED)
    assert "SECRET" not in line
    assert len(line.splitlines()) <= 1
    assert len(line) <= 240


@pytest.mark.parametrize(
    "url",
    ["values", "https://values/x", "s3://", "s3:///x", "s3://Values/x", "s3://my_bucket", "s3://a.-b..c/x", "s3://10.0.0.1"]
    + ["s3://values//x", "s3://values/a/../b", "s3://values/./b", "s3://arn:aws:s3:eu:1:accesspoint/x"],
)  # fmt: skip
def test_what_cannot_be_a_place_is_refused_with_words(url: str) -> None:
    with pytest.raises(ValueError, match=r".{30}") as caught:
        S3Place.of_url(url)
    assert url.split("/")[2 if "://" in url else 0] in str(caught.value) or url in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "assets", "a b/c+d", "ü/x"])
def test_a_place_is_written_as_it_was_read(prefix: str) -> None:
    place = S3Place.of_url(f"s3://values/{prefix}/")
    assert place.prefix == prefix
    assert S3Place.of_url(place.url) == place
    assert place.relative(place.key("raw/x")) == "raw/x"


def test_an_object_of_any_size_has_at_most_ten_thousand_parts() -> None:
    for size in (0, 1, 8 << 20, 80 << 30, 5 << 40):
        part = part_size(size, 8 << 20)
        assert -(-size // part) <= 10_000
        assert part % (1 << 20) == 0
    assert part_size(2 << 30, 8 << 20) == 8 << 20


@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(1, 40))
def test_pieces_are_of_the_size_that_was_asked_for(chunks: list[bytes], size: int) -> None:
    data = b"".join(chunks)
    parts = list(read_ahead(in_parts(iter(chunks), size)))
    assert b"".join(parts) == data
    assert all(len(part) == size for part in parts[:-1])
    assert all(parts)


def test_reading_ahead_stays_two_parts_ahead_and_leaves_no_thread() -> None:
    taken: list[int] = []

    def parts() -> Any:
        for number in range(100):
            taken.append(number)
            yield bytes([number])

    reading = read_ahead(parts())
    next(reading)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert len(taken) <= 5, "memory is bounded"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("asset-values")]


class Served:
    """Where a task gets its role's keys."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lasts = 3600.0
        self.fails = False
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None: ...

            def do_GET(self) -> None:
                served.asked.append(self.path)
                end = datetime.fromtimestamp(time.time() + served.lasts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                number = len(served.asked)
                body = {"AccessKeyId": f"key{number}", "SecretAccessKey": "s", "Token": f"t{number}", "Expiration": end}
                data = json.dumps(body).encode()
                self.send_response(403 if served.fails else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    served = Served()
    monkeypatch.setenv(credentials.TASK_VARIABLE, "/v2/credentials/1")
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_a_task_uses_its_own_role_also_where_the_user_has_set_keys(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-user")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-user")
    keys = TaskCredentials(served.address).current()
    assert (keys.access_key, keys.token, served.asked) == ("key1", "t1", ["/v2/credentials/1"])
    assert "key1" not in repr(keys)
    monkeypatch.delenv(credentials.TASK_VARIABLE)
    with pytest.raises(Fault, match=credentials.TASK_VARIABLE):
        TaskCredentials(served.address).current()


def test_keys_are_renewed_well_before_their_end_by_one_thread_for_all(served: Served) -> None:
    now = [time.time()]
    task = TaskCredentials(served.address, clock=lambda: now[0])
    with ThreadPoolExecutor(16) as pool:
        assert len({keys.token for keys in pool.map(lambda _: task.current(), range(64))}) == 1
    assert len(served.asked) == 1
    now[0] += 3600 - 601
    assert task.current().token == "t1"
    now[0] += 2
    assert task.current().token == "t2", "ten minutes before"
    served.fails = True
    now[0] = time.time() + 3600 - 60
    assert {task.current().token for _ in range(5)} == {"t2"}, "still good when no new ones are to be had"
    assert len(served.asked) == 3, "and not asked for with every request"
    now[0] += 60
    with pytest.raises(Fault):
        task.current()


def test_what_a_server_calls_expired_is_renewed_once_for_all_who_met_it(served: Served) -> None:
    task = TaskCredentials(served.address)
    stale = task.current()
    with ThreadPoolExecutor(8) as pool:
        renewed = {keys.token for keys in pool.map(lambda _: task.renewed(stale), range(8))}
    assert renewed == {"t2"}
    assert len(served.asked) == 2


def test_the_default_chain_gives_the_same_object_and_says_when_there_is_nothing_newer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    chain = DefaultChain()
    keys = chain.current()
    assert chain.current() is keys, "else clients would be made for every request"
    with pytest.raises(Fault) as caught:
        chain.renewed(keys)
    assert caught.value.kind is FaultKind.EXPIRED
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "two")
    assert chain.renewed(keys).access_key == "two"


def test_without_credentials_the_chain_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(Fault, match="AWS_PROFILE") as caught:
        DefaultChain().current()
    assert caught.value.kind is FaultKind.DENIED


def test_keys_are_not_shown() -> None:
    assert repr(AccessKeys("key", "secret", "token", 1.0)) == "AccessKeys(expires=1.0)"


def test_to_import_the_stores_imports_no_client() -> None:
    names = "s3 folder presigned credentials places s3_clients s3_copies s3_faults s3_multipart s3_notes s3_reading"
    code = f"import sys, importlib\nfor n in {names.split()}: importlib.import_module('asset_values.stores.' + n)\n"
    code += "print(sorted({'boto3', 'botocore', 'obstore', 'httpx', 'urllib3', 'dagster'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
