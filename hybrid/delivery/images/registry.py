"""A registry's own API: what a tag is, what its labels say, and an index over several platforms.

Source of the protocol: github.com/opencontainers/distribution-spec 1.1, and for logins by token
distribution.github.io/distribution/spec/auth/token.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hybrid.aws.registry import EcrAddress
from hybrid.delivery.images.errors import LoginRefused, RegistryError, RegistryUnreachable
from hybrid.delivery.images.login import Logins
from hybrid.delivery.images.reference import HUB, Reference
from hybrid.delivery.images.transport import Transport
from hybrid.redaction import redact

if TYPE_CHECKING:
    import httpx

INDEX: Final = "application/vnd.oci.image.index.v1+json"
INDEXES: Final = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPTED: Final = ", ".join((*INDEXES, *_MANIFESTS))


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry has it."""

    media_type: str
    digest: str
    content: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """Raises ``RegistryError`` when it is no JSON object."""
        try:
            document = json.loads(self.content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise RegistryError(f"The manifest {self.digest} is no JSON object.")
        return document

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEXES or "manifests" in self.document


@dataclass(frozen=True)
class Described:
    """What a registry tells of an image. ``labels`` are an index's annotations."""

    digest: str
    labels: Mapping[str, str]


class Registry:
    """All registries, each with docker's login for it. One of this machine's own (127.0.0.1, localhost) is spoken to
    without TLS, as docker does. Safe for threads."""

    def __init__(self, environ: Mapping[str, str], transport: Transport | None = None) -> None:
        self.logins = Logins(environ)
        self.transport = transport or Transport(environ, self.logins)
        self._digests: dict[str, str] = {}
        self._asking: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def digest(self, reference: str) -> str | None:
        """The digest of what ``reference`` names now, or None when there is none.

        Raises ``LoginRefused``, ``RegistryUnreachable`` or ``RegistryError``.
        """
        parsed = Reference.parse(reference)
        answer = self._asked("HEAD", parsed, f"manifests/{parsed.version}")
        if answer is None:
            return None
        told = answer.headers.get("Docker-Content-Digest", "")
        if told:
            return str(Reference.parse(f"{parsed.repository}@{told}").digest)
        manifest = self.manifest(reference)
        return manifest.digest if manifest else None

    def digest_once(self, reference: str) -> str | None:
        """Like ``digest``, asked once in this object's life: a base that many images share. Threads that ask meanwhile
        wait for the answer."""
        with self._lock:
            asking = self._asking.setdefault(reference, threading.Lock())
        with asking:
            found = self._digests.get(reference) or self.digest(reference)
            if found is not None:
                self._digests[reference] = found
            return found

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest or index, checked against its digest; None when there is none."""
        parsed = Reference.parse(reference)
        answer = self._asked("GET", parsed, f"manifests/{parsed.version}")
        if answer is None:
            return None
        digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        if parsed.digest and parsed.digest != digest:
            raise RegistryError(f"{parsed.registry} gives other content for {parsed} than its digest says.")
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return Manifest(media_type, digest, answer.content)

    def labels(self, reference: str) -> dict[str, str] | None:
        """The labels of an image, and for an index its annotations; None when there is no such image."""
        described = self.described(reference)
        return None if described is None else dict(described.labels)

    def described(self, reference: str) -> Described | None:
        """The digest and labels of what ``reference`` names now; None when there is no such image."""
        manifest = self.manifest(reference)
        if manifest is None:
            return None
        if manifest.is_index:
            return Described(manifest.digest, _texts(manifest.document.get("annotations")))
        parsed = Reference.parse(reference)
        configuration = self._configuration(parsed, manifest)
        if configuration is None:
            return None
        return Described(manifest.digest, _texts((configuration.get("config") or {}).get("Labels")))

    def platforms(self, reference: str) -> list[str] | None:
        """The platforms that an image is for, such as linux/arm64/v8; None when there is no such image."""
        manifest = self.manifest(reference)
        if manifest is None:
            return None
        parsed = Reference.parse(reference)
        if manifest.is_index:
            listed = [entry.get("platform") or {} for entry in manifest.document.get("manifests") or []]
        else:
            configuration = self._configuration(parsed, manifest)
            if configuration is None:
                return None
            listed = [configuration]
        named = (
            "/".join(str(one[part]) for part in ("os", "architecture", "variant") if one.get(part)) for one in listed
        )
        # what is signed or attested stands in an index as unknown/unknown
        return sorted({name for name in named if name and not name.startswith("unknown")})

    def _configuration(self, parsed: Reference, manifest: Manifest) -> dict[str, Any] | None:
        digest = str((manifest.document.get("config") or {}).get("digest", ""))
        blob = self._asked("GET", parsed, f"blobs/{Reference.parse(f'{parsed.repository}@{digest}').digest}")
        if blob is None:
            return None  # a manifest without its configuration is no image that anybody could pull
        try:
            configuration = json.loads(blob.content)
            configuration.get("config")
        except (ValueError, AttributeError):
            raise RegistryError(f"The configuration of {parsed} cannot be read.") from None
        return dict(configuration)

    def put_index(
        self, repository: str, tag: str, images: Sequence[tuple[str, str]], annotations: Mapping[str, str]
    ) -> str:
        """Tag an index over ``images``, each a platform such as linux/arm64 and a digest in the same repository.

        Returns the index's digest. Raises ``RegistryError`` when one of them is not there.
        """
        parsed = Reference.parse(f"{repository}:{tag}")
        entries = [self._entry(repository, platform, digest) for platform, digest in images]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": dict(annotations)}
        content = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
        self._asked("PUT", parsed, f"manifests/{tag}", content=content, headers={"Content-Type": INDEX})
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def _entry(self, repository: str, platform: str, digest: str) -> dict[str, Any]:
        manifest = self.manifest(f"{repository}@{digest}")
        if manifest is None:
            raise RegistryError(f"{repository}@{digest} is not there any more.", next_step="run the same again.")
        system, architecture, *variant = platform.split("/")
        described = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
        return {
            "mediaType": manifest.media_type,
            "digest": digest,
            "size": len(manifest.content),
            "platform": described,
        }

    def _asked(
        self,
        method: str,
        reference: Reference,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response | None:
        host = "registry-1.docker.io" if reference.registry == HUB else reference.registry
        scheme = "http" if reference.is_loopback else "https"
        url = f"{scheme}://{host}/v2/{reference.path}/{path}"
        scope = f"repository:{reference.path}:{'pull,push' if method == 'PUT' else 'pull'}"
        answer = self.transport.send(
            method, url, reference.registry, scope, content, {"Accept": _ACCEPTED, **(headers or {})}
        )
        if answer.status_code == 404:
            if method == "PUT":
                raise _failed(reference, answer)
            return None
        if answer.status_code in {401, 403}:
            raise refused(reference.registry, reference.path, answer.status_code)
        if not answer.is_success:
            raise _failed(reference, answer)
        return answer


def refused(registry: str, path: str, status: int | None = None) -> LoginRefused:
    """The words for a login that is missing, wrong or not enough."""
    said = f"It answered {status}. " if status else ""
    if EcrAddress.parse(registry):
        return LoginRefused(
            f"{registry} refuses {path}.",
            why=f"{said}The AWS identity has no right to this repository, or the repository does not exist.",
            next_step="look at `aws sts get-caller-identity`, at its rights to the repository, and at the repository's "
            "own policy.",
        )
    return LoginRefused(
        f"{registry} refuses {path}.",
        why=f"{said}docker has no login for it, the login lapsed, or it has no right to this repository.",
        next_step=f"`docker login {registry}` with an account that may pull and push there, and run the command again.",
    )


def _failed(reference: Reference, answer: httpx.Response) -> RegistryError:
    kind = RegistryUnreachable if answer.status_code >= 500 or answer.status_code == 429 else RegistryError
    return kind(
        f"{reference.registry} answered {answer.status_code} for {reference.path}.",
        why=redact(answer.text[:300]) or None,
        next_step="look at the registry's own log, or try again later.",
    )


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}
