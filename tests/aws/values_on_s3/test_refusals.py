"""Values on S3, against moto as a process of its own: refusals, cut bodies, rights, credentials."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asset_values.faults import Fault, FaultKind
from asset_values.model import Condition
from asset_values.stores.credentials import AccessKeys, AssumedRole
from asset_values.stores.s3 import S3Store
from tests.aws.moto_server import REGION, Moto
from tests.aws.values_on_s3.account import KEYS, NOTE, NOTHING, gets, place, puts, refused
from tests.standins.s3.fault_proxy import FaultProxy, Trouble

pytestmark = [pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_refusal_that_passes_is_tried_again_and_is_told_when_it_stays(troubled: S3Store, proxy: FaultProxy) -> None:
    proxy.troubles += [
        Trouble(puts("once"), 1, 500, "InternalError"),
        Trouble(puts("slow"), None, 503, "SlowDown"),
        Trouble(puts("broken"), None, 500, "InternalError"),
        Trouble(puts("busy"), None, 429, "TooManyRequests"),
        Trouble(puts("full"), None, 507, "XMinioStorageFull"),
    ]
    troubled.put("once", b"1", NOTE, NOTHING)
    kinds = {key: refused(lambda key=key: troubled.put(key, b"1", NOTE, NOTHING)).kind for key in ("slow", "broken")}
    assert kinds == {"slow": FaultKind.THROTTLED, "broken": FaultKind.UNREACHABLE}
    assert sum(puts("slow")(seen) for seen in proxy.seen) == 3, "the pace beyond that is the copier's"
    assert refused(lambda: troubled.put("busy", b"1", NOTE, NOTHING)).kind is FaultKind.THROTTLED
    assert refused(lambda: troubled.put("full", b"1", NOTE, NOTHING)).kind is FaultKind.FULL


@pytest.mark.parametrize("way", ["whole", "parts"])
def test_a_body_that_is_cut_is_taken_up_where_it_ended(troubled: S3Store, proxy: FaultProxy, way: str) -> None:
    data = bytes(range(256)) * 12_000
    troubled.put("cut", data, NOTE, NOTHING)
    proxy.troubles += [Trouble(gets("cut"), 1, cut=1_500_000), Trouble(gets("cut"), 1, cut=600_000)]
    with troubled.open("cut") as reading:
        got = reading.whole() if way == "whole" else b"".join(reading.parts(1_000_000))
    assert got == data
    ranges = [seen.headers.get("range") for seen in proxy.seen if gets("cut")(seen)]
    assert ranges[0] is None
    assert ranges[1].startswith("bytes=1500000-"), "only the rest is asked for"


@pytest.mark.parametrize("way", ["whole", "parts"])
def test_a_value_that_is_replaced_while_it_is_read_is_never_mixed(
    store: S3Store, troubled: S3Store, proxy: FaultProxy, way: str
) -> None:
    version = store.put("cut", b"a" * 3_000_000, NOTE, NOTHING)
    proxy.troubles += [
        Trouble(gets("cut"), 1, cut=1_500_000),
        Trouble(
            gets("cut"),
            1,
            cut=3_000_000,
            before=lambda: store.put("cut", b"b" * 3_000_000, NOTE, Condition(version)) and None,
        ),
    ]
    with troubled.open("cut") as reading, pytest.raises(Fault) as caught:
        reading.whole() if way == "whole" else list(reading.parts(1_000_000))
    assert caught.value.passes, "it is read anew, as a whole"


def test_what_may_not_be_done_names_the_permission(troubled: S3Store, proxy: FaultProxy) -> None:
    denied = {"status": 403, "code": "AccessDenied"}
    kms = "User: arn:aws:sts::1:role/x is not authorized to perform: kms:GenerateDataKey on resource: arn"
    proxy.troubles += [
        Trouble(puts("kms"), None, **denied, message=kms),
        Trouble(puts("plain"), None, **denied),
        Trouble(lambda seen: "list-type=2" in seen.path, None, **denied),
        Trouble(lambda seen: "plain" in seen.path and seen.method in ("GET", "HEAD"), None, **denied),
    ]
    actions = {
        "s3:PutObject": lambda: troubled.put("plain", b"1", NOTE, NOTHING),
        "kms:GenerateDataKey": lambda: troubled.put("kms", b"1", NOTE, NOTHING),
        "s3:ListBucket": lambda: list(troubled.entries()),
        "s3:GetObject": lambda: troubled.open("plain"),
    }
    for action, work in actions.items():
        fault = refused(work)
        assert (fault.kind, fault.action) == (FaultKind.DENIED, action)
    assert refused(lambda: troubled.head("plain")).action == "s3:GetObject"
    assert refused(troubled.check).action == "s3:ListBucket"


def test_a_bucket_that_is_not_there_or_elsewhere_is_told_before_anything_is_done(
    s3: Moto, bucket: str, troubled: S3Store, proxy: FaultProxy
) -> None:
    troubled.check()
    missing = S3Store(place(s3.endpoint, "no-such-bucket-here"), KEYS)
    for work in (missing.check, lambda: missing.put("a", b"", NOTE, NOTHING), lambda: missing.open("a")):
        fault = refused(work)
        assert fault.kind is FaultKind.MISPLACED
        assert "no-such-bucket-here" in fault.reason
    elsewhere = S3Store(place(s3.endpoint, bucket, region="us-west-2"), KEYS)
    fault = refused(elsewhere.check)
    assert fault.kind is FaultKind.MISPLACED
    assert "us-west-2" in fault.reason
    assert REGION in fault.reason, "the right one"
    proxy.troubles.append(Trouble(puts("moved"), None, 301, "PermanentRedirect", region="us-west-2"))
    assert refused(lambda: troubled.put("moved", b"", NOTE, NOTHING)).kind is FaultKind.MISPLACED


def test_a_key_that_s3_cannot_have_is_refused_without_a_request(troubled: S3Store, proxy: FaultProxy) -> None:
    for key in ("k" * 1020, "", "\ud800"):
        assert refused(lambda key=key: troubled.put(key, b"", NOTE, NOTHING)).kind is FaultKind.UNUSABLE
    assert not proxy.seen


class Rotating:
    """Credentials of which a server calls the first expired."""

    def __init__(self, sets: int) -> None:
        self.sets = [AccessKeys("key", "secret", f"token{number}") for number in range(sets)]
        self.renewals = 0
        self.lock = threading.Lock()

    def current(self) -> AccessKeys:
        return self.sets[0]

    def renewed(self, stale: AccessKeys) -> AccessKeys:
        with self.lock:
            if stale is self.sets[0]:
                if len(self.sets) == 1:
                    raise Fault(FaultKind.EXPIRED, "No more.")
                self.renewals += 1
                self.sets.pop(0)
            return self.sets[0]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_keys_that_expire_in_the_middle_are_renewed_once(proxy: FaultProxy, bucket: str, method: str) -> None:
    proxy.clear()
    credentials = Rotating(2)
    store = S3Store(place(proxy.endpoint, bucket), credentials)
    store.put("value", b"1", NOTE, NOTHING)
    proxy.troubles.append(
        Trouble(lambda seen: seen.headers.get("x-amz-security-token") == "token0", None, 400, "ExpiredToken")
    )
    work: dict[str, Callable[[], Any]] = {
        "GET": lambda: store.open("value").__enter__().whole(),
        "HEAD": lambda: store.head("value"),
        "PUT": lambda: store.put("value2", b"2", NOTE, NOTHING),
    }
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(work[method]) for _ in range(1 if method == "PUT" else 8)]
        assert all(future.result() for future in futures)
    assert credentials.renewals == 1, "eight threads met it, one asked for new ones"
    proxy.troubles.append(Trouble(lambda seen: True, None, 400, "ExpiredToken"))
    assert refused(work[method]).kind is FaultKind.EXPIRED


def test_variables_of_the_environment_do_not_mix_with_the_keys_that_were_given(
    proxy: FaultProxy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.clear()
    for name in ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-user")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = S3Store(place(proxy.endpoint, bucket), KEYS)
    store.put("value", b"1", NOTE, NOTHING)
    store.put("a//b", b"1", NOTE, NOTHING)
    assert proxy.seen
    assert all("of-the-user" not in str(seen.headers) for seen in proxy.seen)


def test_a_role_is_assumed_with_its_external_id_and_signs_the_requests(
    s3: Moto, proxy: FaultProxy, bucket: str
) -> None:
    proxy.clear()
    role = AssumedRole(
        "arn:aws:iam::123456789012:role/writes-values",
        KEYS,
        external_id="acme-1",
        region=REGION,
        endpoint=s3.endpoint,
    )
    with s3.recorded() as calls:
        store = S3Store(place(proxy.endpoint, bucket), role)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: store.put(f"value{number}", b"1", NOTE, NOTHING), range(16)))
    assert [call.operation for call in calls].count("AssumeRole") == 1, "one of the threads asked"
    assert {seen.headers["x-amz-security-token"] for seen in proxy.seen} == {role.current().token}
    assert role.current().token not in repr(role.current()), "keys are never shown"
