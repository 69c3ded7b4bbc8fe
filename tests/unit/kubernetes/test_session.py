"""The door to a cluster: which one it opens to, what goes over the wire, and what people read when it does not open."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading

import pytest

from hybrid.kubernetes import errors, session
from hybrid.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, POD, SECRET
from hybrid.kubernetes.session import Cluster
from tests.unit.kubernetes.fake_cluster import NAMESPACE, write_kubeconfig

pytestmark = pytest.mark.unit


def caught_by(cluster):
    with pytest.raises(errors.KubernetesError) as caught:
        cluster.version()
    assert caught.value.why, "an error says why"
    assert caught.value.next_step, "an error says what next"
    return caught.value


def test_lists_come_whole_though_the_api_gives_pages(fake, cluster):
    fake.page = 2
    for number in range(5):
        fake.pod(f"pod-{number}")
    assert [one["metadata"]["name"] for one in cluster.listed(POD, NAMESPACE)] == [f"pod-{n}" for n in range(5)]
    assert fake.calls == [f"list pods {NAMESPACE}"] * 3


def test_of_a_secret_only_metadata_is_ever_asked(fake, cluster):
    fake.put("secrets", "token", data={"token": "aHVudGVyMg=="})
    assert "data" not in cluster.find(SECRET, NAMESPACE, "token")
    assert all("data" not in one for one in cluster.listed(SECRET, NAMESPACE))


def test_what_is_not_there_is_none_and_its_removal_is_said(fake, cluster):
    assert cluster.find(CONFIG_MAP, NAMESPACE, "gone") is None
    assert cluster.remove(CONFIG_MAP, NAMESPACE, "gone", "uid-1") is False


def test_another_object_of_the_same_name_is_not_removed(fake, cluster):
    fake.put("configmaps", "state")
    assert cluster.remove(CONFIG_MAP, NAMESPACE, "state", "uid-of-the-one-before") is False
    assert fake.left("configmaps") == ["state"]


@pytest.mark.parametrize("name", ["../../../version", "a/b", "a?b", "a#b", "%2e%2e"])
def test_a_name_never_leads_to_another_path(fake, cluster, name):
    assert cluster.find(DEPLOYMENT, NAMESPACE, name) is None
    assert fake.calls == [f"get deployments {NAMESPACE}/{name}"]


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_dots_and_nothing_are_no_name(fake, cluster, name):
    assert cluster.find(DEPLOYMENT, NAMESPACE, name) is None
    assert cluster.remove(DEPLOYMENT, NAMESPACE, name, "uid-1") is False
    with pytest.raises(errors.KubernetesNotFound):
        cluster.log(NAMESPACE, name, {})
    assert fake.calls == [], "a path with dots is another path for whoever reads it"


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind", "said"),
    [
        (401, "Unauthorized", "Unauthorized", errors.KubernetesCredentialsRefused, "does not accept the credentials"),
        (403, "Forbidden", 'User "system:anonymous" cannot get path', errors.KubernetesCredentialsRefused, "accept"),
        (403, "Forbidden", 'User "jo" cannot list pods', errors.KubernetesDenied, "does not allow this identity to"),
        (403, "Forbidden", "exceeded quota: small", errors.KubernetesQuotaReached, "quota"),
        (429, "TooManyRequests", "wait", errors.KubernetesThrottled, "too many requests"),
        (404, "NotFound", "no", errors.KubernetesNotFound, "refused to say"),
        (409, "Conflict", "no", errors.KubernetesConflict, "refused to say"),
        (500, "InternalError", "etcd", errors.KubernetesError, "refused to say"),
    ],
)
def test_answers_of_the_cluster_become_errors_with_a_next_step(fake, cluster, status, reason, message, kind, said):
    fake.refuse("version", status, reason, message)
    error = caught_by(cluster)
    assert type(error) is kind
    assert (error.status, error.reason) == (status, reason)
    assert said in error.what
    assert message in error.why


def test_a_token_never_stands_in_an_error(fake, tmp_path):
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    path = write_kubeconfig(tmp_path / "wrong", fake.address, token)
    assert token not in caught_by(Cluster(str(path))).sentence()


def test_without_a_kubeconfig_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    error = caught_by(Cluster())
    assert type(error) is errors.KubeconfigMissing
    assert "KUBECONFIG is not set, and ~/.kube/config is not there" in error.what


def test_a_kubeconfig_that_is_named_and_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no"))
    assert "which KUBECONFIG names" in caught_by(Cluster()).what
    assert f"no kubeconfig {tmp_path / 'nor'}" in caught_by(Cluster(str(tmp_path / "nor"))).what


def test_the_environment_is_read_anew_for_each_door(fake, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", fake.kubeconfig)
    assert str(Cluster().version()) == "v1.34.2-test"


def test_an_unknown_context_is_said_with_those_that_are_known(fake):
    error = caught_by(Cluster(fake.kubeconfig, "production"))
    assert type(error) is errors.KubeContextMissing
    assert "has no context production" in error.what
    assert "It has other, test." in error.why


def test_no_current_context_is_said(fake, tmp_path):
    path = write_kubeconfig(tmp_path / "none", fake.address, fake.token, current=None)
    assert type(caught_by(Cluster(str(path)))) is errors.KubeContextMissing
    assert Cluster(str(path), "other").version().minor == 34


@pytest.mark.parametrize("text", ["[]", "just words", "a: [", "clusters: 5\ncontexts: []", "\0", "contexts: [{}]"])
def test_a_file_that_is_no_kubeconfig_is_said_to_be_none(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    assert isinstance(caught_by(Cluster(str(path))), errors.KubeconfigMissing | errors.KubeContextMissing)


def test_a_context_that_leads_to_another_cluster_is_refused_before_anything_is_asked(fake):
    error = caught_by(Cluster(fake.kubeconfig, None, "https://production.test:6443"))
    assert type(error) is errors.KubernetesWrongCluster
    assert fake.calls == [], "nothing may be asked of the wrong cluster"
    assert Cluster(fake.kubeconfig, None, f"{fake.address}/").version().major == 1


def test_a_login_program_that_fails_is_told_in_its_own_words(fake, tmp_path):
    program = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", "import sys; sys.exit('the SSO session has expired')"],
        "interactiveMode": "Never",
    }
    path = write_kubeconfig(tmp_path / "exec", fake.address, "", user={"exec": program})
    handlers = list(logging.getLogger().handlers)
    error = caught_by(Cluster(str(path)))
    assert type(error) is errors.KubernetesCredentialsRefused
    assert "the SSO session has expired" in error.why
    assert fake.calls == [], "without a login nobody is asked"
    assert logging.getLogger().handlers == handlers, "the client's way to log must not stay"


def test_a_login_program_that_is_not_there_is_named(fake, tmp_path):
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login", "interactiveMode": "Never"}
    path = write_kubeconfig(tmp_path / "exec", fake.address, "", user={"exec": program})
    assert "no-such-login" in caught_by(Cluster(str(path))).why


def test_a_cluster_that_does_not_answer_is_unreachable(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = write_kubeconfig(tmp_path / "down", f"http://127.0.0.1:{port}", "t")
    error = caught_by(Cluster(str(path)))
    assert type(error) is errors.KubernetesUnreachable
    assert f"http://127.0.0.1:{port}" in error.what


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("http://no-such-host.invalid:1", errors.KubernetesUnreachable),
        ("https://127.0.0.1:99999", errors.KubernetesUnreachable),
        ("nonsense", errors.KubeconfigMissing),
        ("file:///etc/passwd", errors.KubeconfigMissing),
    ],
)
def test_an_address_that_is_none_is_said(tmp_path, address, kind):
    path = write_kubeconfig(tmp_path / "odd", address, "t")
    assert type(caught_by(Cluster(str(path)))) is kind


def test_something_that_is_no_api_server_is_said(tmp_path):
    with listening(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>") as port:
        path = write_kubeconfig(tmp_path / "proxy", f"http://127.0.0.1:{port}", "t")
        caught_by(Cluster(str(path)))


def test_a_certificate_that_is_not_trusted_is_told_apart_from_no_answer(tmp_path):
    with listening(b"this is no TLS") as port:
        path = write_kubeconfig(tmp_path / "tls", f"https://127.0.0.1:{port}", "t")
        error = caught_by(Cluster(str(path)))
    assert type(error) is errors.KubernetesCertificateRefused
    assert "certificate-authority" in error.next_step


class listening:
    """One answer, whatever is asked, on a port of this machine."""

    def __init__(self, answer):
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self._socket.getsockname()[1]

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(self._answer)

    def __exit__(self, *caught):
        self._socket.close()


def test_an_old_cluster_is_refused_with_what_is_needed(fake, cluster):
    fake.version = {"major": "1", "minor": "21", "gitVersion": "v1.21.14"}
    with pytest.raises(errors.KubernetesTooOld, match=r"of version v1\.21\.14; a stack needs 1\.22") as caught:
        cluster.check_version()
    assert "server-side apply" in caught.value.why
    fake.version = {"major": "1", "minor": "22+"}
    assert cluster.check_version().minor == session.OLDEST[1]


def test_the_client_is_not_imported_before_it_is_needed():
    script = "import hybrid.kubernetes.session, sys; sys.exit('kubernetes.client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
