"""The registry client against a registry of a few lines, which speaks the protocol's parts that the real one of
tests/images has not: tokens, indexes without a digest header, faults that pass."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hybrid.delivery.images.errors import LoginRefused, RegistryError, RegistryUnreachable
from hybrid.delivery.images.login import Logins
from hybrid.delivery.images.registry import INDEX, Registry
from hybrid.delivery.images.transport import Transport

pytestmark = pytest.mark.unit

PASSWORD = "swordfish-of-a-test"
CONFIG = json.dumps({"config": {"Labels": {"a": "b"}}}).encode()


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


MANIFEST = json.dumps({"schemaVersion": 2, "config": {"digest": digest(CONFIG)}}).encode()


class Served(ThreadingHTTPServer):
    """``blobs`` by path; ``faults`` are given first; ``realm``: a token is asked for there."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.blobs = {
            "manifests/1": MANIFEST,
            f"manifests/{digest(MANIFEST)}": MANIFEST,
            f"blobs/{digest(CONFIG)}": CONFIG,
        }
        self.faults, self.seen, self.login, self.realm, self.tells_digest = [], [], None, None, True
        self.types = {}

    @property
    def host(self):
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def _answer(self, code, content=b"", **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _serve(self):
        server, path = self.server, self.path.removeprefix("/v2/acme/x/")
        authorization = self.headers.get("Authorization")
        server.seen.append((self.command, self.path, authorization))
        if server.faults:
            return self._answer(server.faults.pop(0))
        wanted = server.login and "Basic " + base64.b64encode(server.login.encode()).decode()
        if self.path.startswith("/token"):
            return self._answer(200, b'{"token": "t0ken-of-a-test"}') if authorization == wanted else self._answer(401)
        if server.realm:
            wanted = "Bearer t0ken-of-a-test"
        if wanted and authorization != wanted:
            asks = f'Bearer realm="{server.realm}",service="s"' if server.realm else 'Basic realm="x"'
            return self._answer(401, WWW_Authenticate=asks)
        if self.command == "PUT":
            content = self.rfile.read(int(self.headers["Content-Length"]))
            server.blobs[path] = content
            server.types[path] = self.headers["Content-Type"]
            return self._answer(201)
        content = server.blobs.get(path)
        if content is None:
            return self._answer(404)
        told = {"Docker_Content_Digest": digest(content)} if server.tells_digest else {}
        kind = server.types.get(path, "application/vnd.oci.image.manifest.v1+json")
        return self._answer(200, content, Content_Type=kind, **told)

    do_GET = do_HEAD = do_PUT = _serve


@pytest.fixture
def server():
    with Served() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield served
        served.shutdown()


@pytest.fixture
def registry(server, tmp_path):
    auth = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
    environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": ""}
    return Registry(environ, Transport(environ, Logins(environ), wait=0.01))


def test_a_digest_and_labels_are_read(server, registry):
    assert registry.digest(f"{server.host}/acme/x:1") == digest(MANIFEST)
    assert registry.labels(f"{server.host}/acme/x:1") == {"a": "b"}
    assert registry.digest(f"{server.host}/acme/x:2") is None, "not there is an answer"
    assert registry.labels(f"{server.host}/acme/x:2") is None


def test_digest_and_labels_together_take_two_questions(server, registry):
    found = registry.described(f"{server.host}/acme/x:1")

    assert found is not None, "it is there"
    assert (found.digest, found.labels) == (digest(MANIFEST), {"a": "b"})
    assert len(server.seen) == 2, "one for the manifest and one for its configuration, for each unchanged location"


def test_a_base_that_many_images_share_is_asked_for_once_also_at_the_same_time(server, registry):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(registry.digest_once, [f"{server.host}/acme/x:1"] * 8))

    assert found == {digest(MANIFEST)}
    assert len(server.seen) == 1, "the others wait for the first one's answer"


def test_no_password_is_sent_to_a_registry_that_asks_for_none(server, registry):
    registry.digest(f"{server.host}/acme/x:1")

    assert [authorization for *_, authorization in server.seen] == [None]


def test_the_login_that_docker_has_is_used_when_asked_for(server, registry):
    server.login = f"me:{PASSWORD}"

    assert registry.digest(f"{server.host}/acme/x:1") == digest(MANIFEST)


@pytest.mark.parametrize(
    ("entry", "more", "by_docker"),
    [
        ({"auth": base64.b64encode(b"me:a:b").decode()}, {}, False),
        ({"auth": base64.b64encode(b"me:a:b").decode()}, {"credsStore": "desktop"}, True),
        ({"auth": base64.b64encode(b"me:a:b").decode()}, {"credHelpers": {"elsewhere": "mine"}}, True),
        ({"auth": "", "identitytoken": "t"}, {}, True),
        ({}, {}, True),
        ("no entry", {}, True),
        ({"auth": "%%%"}, {}, True),
    ],
)
def test_only_a_login_that_stands_in_the_file_is_read_without_docker_py(tmp_path, entry, more, by_docker, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"r.example": entry}, **more}))
    logins, asked = Logins({"DOCKER_CONFIG": str(tmp_path)}), []
    monkeypatch.setattr(logins, "_by_docker", lambda registry, file: asked.append(registry))

    login = logins.of("r.example")

    assert bool(asked) == by_docker, "a helper or a token is for docker-py"
    assert login is None if by_docker else (login.user, login.password.reveal()) == ("me", "a:b")


def test_a_token_is_fetched_with_the_login_and_used_again(server, registry):
    server.login, server.realm = f"me:{PASSWORD}", f"http://{server.host}/token"

    assert registry.digest(f"{server.host}/acme/x:1") == digest(MANIFEST)
    assert registry.digest(f"{server.host}/acme/x:1") == digest(MANIFEST)
    asked = [path for _, path, _ in server.seen if path.startswith("/token")]
    assert asked == ["/token?service=s&scope=repository%3Aacme%2Fx%3Apull"], "one token serves both"


@pytest.mark.parametrize("realm", ["http://token.example/token", "ftp://x/y", "nonsense"])
def test_a_password_is_not_sent_where_others_could_read_it(server, registry, realm, monkeypatch):
    server.login, server.realm = f"me:{PASSWORD}", realm
    monkeypatch.setattr("hybrid.delivery.images.reference.Reference.is_loopback", property(lambda self: False))
    transport = registry.transport

    assert transport._token(server.host, realm, "s", "x") is None
    assert not server.seen, "nobody was asked"


def test_a_refused_login_says_how_to_log_in_and_shows_no_password(server, registry):
    server.login = "me:another"

    with pytest.raises(LoginRefused, match=r"(?s)refuses acme/x.*docker login") as raised:
        registry.digest(f"{server.host}/acme/x:1")
    assert PASSWORD not in raised.value.sentence()


def test_no_right_to_a_repository_is_the_same_refusal(server, registry):
    server.faults = [403]

    with pytest.raises(LoginRefused, match="403"):
        registry.digest(f"{server.host}/acme/x:1")


def test_faults_that_pass_are_waited_for(server, registry):
    server.faults = [503, 429, 500]

    assert registry.digest(f"{server.host}/acme/x:1") == digest(MANIFEST), "the fourth attempt is answered"


def test_faults_that_stay_are_unreachable_and_never_not_there(server, registry):
    server.faults = [503] * 8

    with pytest.raises(RegistryUnreachable, match="answered 503"):
        registry.digest(f"{server.host}/acme/x:1")


def test_nobody_listening_is_unreachable(server, registry):
    server.shutdown()
    server.server_close()

    with pytest.raises(RegistryUnreachable, match=r"(?s)does not answer.*Next:"):
        registry.digest(f"{server.host}/acme/x:1")


def test_a_registry_that_tells_no_digest_is_counted_out(server, registry):
    server.tells_digest = False

    assert registry.digest(f"{server.host}/acme/x:1") == digest(MANIFEST)


def test_content_that_is_not_its_digest_is_refused(server, registry):
    server.blobs[f"manifests/{digest(MANIFEST)}"] = b"{}"

    with pytest.raises(RegistryError, match="other content"):
        registry.labels(f"{server.host}/acme/x@{digest(MANIFEST)}")


def test_an_index_names_each_platform_and_carries_annotations(server, registry):
    made = registry.put_index(f"{server.host}/acme/x", "t", [("linux/arm64/v8", digest(MANIFEST))], {"io.example": "h"})
    index = json.loads(server.blobs["manifests/t"])

    assert made == digest(server.blobs["manifests/t"]), "the digest is that of what was sent"
    assert server.types["manifests/t"] == INDEX
    assert index["manifests"][0]["platform"] == {"os": "linux", "architecture": "arm64", "variant": "v8"}
    assert index["manifests"][0]["size"] == len(MANIFEST)
    assert registry.labels(f"{server.host}/acme/x:t") == {"io.example": "h"}, "an index says what an image's labels do"


def test_an_index_over_an_image_that_is_gone_is_refused(server, registry):
    with pytest.raises(RegistryError, match="not there any more"):
        registry.put_index(f"{server.host}/acme/x", "t", [("linux/amd64", "sha256:" + "0" * 64)], {})


def test_a_credential_helper_is_asked_and_its_fault_is_told(server, registry, tmp_path, monkeypatch):
    helper = tmp_path / "docker-credential-mine"
    helper.write_text(f'#!/bin/sh\necho \'{{"Username": "me", "Secret": "{PASSWORD}"}}\'\n')
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {server.host: "mine"}}))
    server.login = f"me:{PASSWORD}"
    environ = {"DOCKER_CONFIG": str(tmp_path), "PATH": f"{tmp_path}:/bin:/usr/bin"}
    monkeypatch.setenv("PATH", environ["PATH"])  # docker-py looks for helpers there

    assert Registry(environ).digest(f"{server.host}/acme/x:1") == digest(MANIFEST)
    helper.write_text("#!/bin/sh\necho the session has lapsed; exit 1\n")
    with pytest.raises(LoginRefused, match=r"(?s)cannot be read.*docker login"):
        Registry(environ).digest(f"{server.host}/acme/x:1")


def test_settings_of_docker_that_are_no_json_are_no_missing_login(server, registry, tmp_path):
    server.login = f"me:{PASSWORD}"
    (tmp_path / "config.json").write_text('{"auths": [')
    with pytest.raises(LoginRefused, match=r"(?s)cannot be read.*config\.json"):
        Registry({"DOCKER_CONFIG": str(tmp_path)}).digest(f"{server.host}/acme/x:1")


def test_the_platforms_of_one_image_are_in_its_configuration(server, registry):
    content = json.dumps({"os": "linux", "architecture": "arm64", "variant": "v8", "config": {}}).encode()
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": digest(content)}}).encode()
    server.blobs |= {"manifests/arm": manifest, f"blobs/{digest(content)}": content}
    assert registry.platforms(f"{server.host}/acme/x:arm") == ["linux/arm64/v8"]
    assert registry.platforms(f"{server.host}/acme/x:nope") is None


def test_the_platforms_of_an_index_are_its_own_without_attestations(server, registry):
    entries = [
        {"digest": digest(b"1"), "platform": {"os": "linux", "architecture": "amd64"}},
        {"digest": digest(b"2"), "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": digest(b"3"), "platform": {"os": "unknown", "architecture": "unknown"}},
    ]
    server.blobs["manifests/both"] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    server.types["manifests/both"] = INDEX
    assert registry.platforms(f"{server.host}/acme/x:both") == ["linux/amd64", "linux/arm64"]
