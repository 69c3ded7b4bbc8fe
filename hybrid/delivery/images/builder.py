"""Images built by BuildKit through the docker command line, and pushed."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hybrid.containers.docker import Docker, last_lines
from hybrid.delivery.images.build_output import BuildOutput
from hybrid.delivery.images.content import LOCAL, ImageContent, content_of
from hybrid.delivery.images.errors import ContextError, PushFailed, RegistryError, RegistryUnreachable, TagTaken
from hybrid.delivery.images.login import is_cloud_registry, logged_in
from hybrid.delivery.images.reference import Reference
from hybrid.delivery.images.registry import Registry, refused
from hybrid.delivery.images.spec import HASH_LABEL, ImageSpec
from hybrid.errors import ToolchainError

_PUSHES: Final = 2  # docker itself tries each layer five times within one
_PAUSE: Final = 2.0  # seconds before another push, doubled each time
_PUSHED: Final = re.compile(r"digest: (sha256:[0-9a-f]{64}) size: \d+")
_REFUSED: Final = ("unauthorized", "denied", "no basic auth credentials", "authentication required", "403 forbidden")
_FULL: Final = "no space left on device"
_BROKEN: Final = "unexpected http status: 5"  # docker 20.10 says no more of a registry that failed by itself
_AGAIN: Final = re.compile(r"[0-9a-f]+: Retrying in (\d+) seconds?")

Say = Callable[[str], None]
Check = Callable[[], None]


@dataclass(frozen=True)
class PublishedImage:
    """An image in its registry. ``reference`` is by digest; ``built`` is false when it was there already."""

    reference: str
    tag: str
    digest: str
    built: bool


class Builder:
    """Builds and publishes. ``docker`` is found only when something is to be built; ``check`` is asked many times a
    second and stops the work by raising."""

    def __init__(
        self,
        docker: Callable[[], Docker],
        registry: Registry,
        check: Check = lambda: None,
        *,
        pushes: int = _PUSHES,
        pause: float = _PAUSE,
    ) -> None:
        self._docker = docker
        self._registry = registry
        self._check = check
        self._pushes = pushes
        self._pause = pause

    def present(self, spec: ImageSpec, content: ImageContent) -> PublishedImage | None:
        """The image when the registry has it already, by its tag and the label that names the content.

        Raises ``TagTaken`` when the tag is there with other content.
        """
        reference = f"{spec.repository}:{content.tag}"
        found = self._registry.described(reference)
        if found is None:
            return None
        if found.labels.get(HASH_LABEL) != content.hash:
            raise TagTaken(
                f"{reference} is there already, with other content.",
                why=f"Its label {HASH_LABEL} is {found.labels.get(HASH_LABEL, 'missing')}; the content here is "
                f"{content.hash}. Somebody pushed it by another way.",
                next_step="delete that tag in the registry, or take another repository.",
            )
        return _published(spec, content, found.digest, built=False)

    def publish(self, spec: ImageSpec, content: ImageContent, say: Say) -> PublishedImage:
        """The image in its registry, built and pushed only when it is not there.

        Raises ``TagTaken``, ``BuildFailed``, ``PushFailed``, ``ContextError`` when a file changed meanwhile, and the
        errors of docker and the registry.
        """
        there = self.present(spec, content)
        if there is not None:
            say(f"{spec.repository}:{content.tag} is there already")
            return there
        if len(spec.platforms) <= 1:
            digest = self._push(self.build(spec, content, say), say)
        else:
            digest = self._publish_platforms(spec, content, say)
        return _published(spec, content, digest, built=True)

    def build(self, spec: ImageSpec, content: ImageContent, say: Say, *, platform: str | None = None) -> str:
        """Build for one platform and tag it in the engine; the tag's name."""
        platform = platform or next(iter(spec.platforms), "")
        suffix = f"-{platform.partition('/')[2].replace('/', '-')}" if len(spec.platforms) > 1 else ""
        local = f"{spec.repository}:{content.tag}{suffix}"
        output = BuildOutput(say)

        def check() -> None:
            self._check()
            output.tell()

        with _build_files(content) as folder, self._client(spec.repository, *content.bases) as docker:
            untagged = [*_arguments(spec, content, folder, platform), "--iidfile", str(folder / "id")]
            loaded = ["--load"] if docker.has_buildx else []
            code = docker.follow([*untagged, *loaded, str(spec.context)], output.take, check)
            if code != 0:
                raise output.failure(spec.repository, platform)
            image = (folder / "id").read_text(encoding="ascii").strip()
            _refuse_changed(spec, content)
            # only what is complete, and is what was hashed, gets the name under which it could be pushed
            docker.run("tag", image, local)
        return local

    def _publish_platforms(self, spec: ImageSpec, content: ImageContent, say: Say) -> str:
        pushed = []
        for platform in sorted(spec.platforms):
            local = self.build(spec, content, say, platform=platform)
            pushed.append((platform, self._push(local, say)))
        return self._registry.put_index(spec.repository, content.tag, pushed, {HASH_LABEL: content.hash})

    def _push(self, local: str, say: Say) -> str:
        """Push, again when it is cut. The digest, as push and registry both say it."""
        said: list[str] = []
        for attempt in range(1, self._pushes + 1):
            say(f"pushing {local}" + (f", attempt {attempt}" if attempt > 1 else ""))
            said = []
            with self._client(local) as docker:
                code = docker.follow(["push", local], _without_waits(said.append, local, say), self._check)
            text = "\n".join(said)
            if code == 0:
                return self._confirmed(local, text)
            if any(words in text.lower() for words in _REFUSED):
                parsed = Reference.parse(local)
                raise refused(parsed.registry, parsed.path)
            if _BROKEN in text.lower():
                break  # docker has tried for most of a minute
            if attempt < self._pushes:
                self._wait(self._pause * 2 ** (attempt - 1))
        raise PushFailed(
            f"{local} could not be pushed.",
            why=last_lines("\n".join(said)),
            next_step=_advice("\n".join(said).lower()),
        )

    @contextlib.contextmanager
    def _client(self, *references: str) -> Iterator[Docker]:
        """The client, with logins to those registries of the references that docker itself has none for."""
        docker = self._docker()
        registries = {Reference.parse(one).registry for one in references}
        foreign = {registry for registry in registries if is_cloud_registry(registry)}
        if not foreign:
            yield docker
            return
        with logged_in(docker.environ, self._registry.logins, foreign) as environ:
            yield Docker(docker.executable, environ, has_buildx=docker.has_buildx)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._check()
            time.sleep(min(left, 0.1))

    def _confirmed(self, local: str, text: str) -> str:
        told = _PUSHED.findall(text)
        digest = self._registry.digest(local)
        if digest is None or not told or digest != told[-1]:
            raise PushFailed(
                f"{local} is not what was pushed.",
                why=f"The push said {told[-1] if told else 'no digest'}, the registry says {digest or 'none'}.",
                next_step="somebody else pushed the same tag: run the command again.",
            )
        return digest


def base_digests(
    registry: Registry,
    docker: Callable[[], Docker],
    kept: Callable[[str, RegistryUnreachable], str | None] = lambda reference, fault: None,
) -> Callable[[str], str]:
    """How ``content_of`` finds the digest of an image that a Dockerfile starts from: the registry's, else, for one that
    was made on this machine, the engine's own id of it. ``kept`` is asked first when the registry does not answer.

    What it gives raises the registry's error when nobody knows the image.
    """

    def digest(reference: str) -> str:
        parsed = Reference.parse(reference)
        if parsed.digest:
            return parsed.digest
        try:
            found = registry.digest_once(reference)
            fault: RegistryError | None = None
        except RegistryUnreachable as error:
            found, fault = kept(reference, error), error
        except RegistryError as error:
            found, fault = None, error
        return found or _in_engine(parsed, docker, fault)

    return digest


def _in_engine(reference: Reference, docker: Callable[[], Docker], fault: RegistryError | None) -> str:
    if fault is None:
        missing = RegistryError(
            f"The image {reference} is nowhere to be found.",
            why="Its registry does not have it, and neither has the Docker engine.",
            next_step="correct its name in the Dockerfile or in the build arguments.",
        )
    else:
        what = f"The digest of {reference} is not known. {fault.what}"
        missing = type(fault)(what, why=fault.why, next_step=fault.next_step)
    try:
        answer = docker().run(
            "image", "inspect", "--format", "{{.Id}} {{json .RepoDigests}}", str(reference), check=False
        )
    except ToolchainError:
        raise missing from None
    if answer.code != 0:
        raise missing
    id, _, digests = answer.out.strip().partition(" ")
    pulled = re.findall(r'"([^"@]+)@(sha256:[0-9a-f]{64})"', digests)
    for repository, digest in pulled:
        if Reference.parse(repository).repository == reference.repository:
            return str(digest)
    return f"{LOCAL}{id}"


def _without_waits(take: Say, local: str, say: Say) -> Say:
    """Hands on what a push says but for the seconds that docker counts down; the start of each pause is told."""
    longest = 0

    def line(text: str) -> None:
        nonlocal longest
        waiting = _AGAIN.fullmatch(text)
        if waiting is None:
            take(text)
        elif int(waiting[1]) > longest:  # each pause is longer than the one before
            longest = int(waiting[1])
            say(f"pushing {local}: the registry did not take a layer; docker tries again in {longest} s")

    return line


def _advice(said: str) -> str:
    if _FULL in said:
        return "the registry's disk is full: free some of it."
    if _BROKEN in said:
        return "the registry itself failed: look at its own log, and whether its disk is full; then run this again."
    return "look at the network and the registry, and run the command again: what arrived is not sent again."


def _arguments(spec: ImageSpec, content: ImageContent, folder: Path, platform: str) -> list[str]:
    said = ["build", "--progress=plain", "--file", str(folder / "Dockerfile")]
    said += [f"--platform={platform}"] if platform else []
    for name, value in sorted(spec.arguments.items()):
        said += ["--build-arg", f"{name}={value}"]
    for id, source in sorted(spec.secrets.items()):
        kind, _, where = source.partition(":")
        said += ["--secret", f"id={id},{'env' if kind == 'env' else 'src'}={where}"]
    for name, value in sorted(_labels(spec, content).items()):
        said += ["--label", f"{name}={value}"]
    return said


def _labels(spec: ImageSpec, content: ImageContent) -> Mapping[str, str]:
    # no time of creation: the same content shall give the same image
    given = {"org.opencontainers.image.title": spec.repository.rpartition("/")[2]}
    given["org.opencontainers.image.version"] = content.tag
    return {**given, **spec.labels, HASH_LABEL: content.hash}


@contextlib.contextmanager
def _build_files(content: ImageContent) -> Iterator[Path]:
    """The pinned Dockerfile and its ignore file, in a folder of their own: the team's stay as they are."""
    with tempfile.TemporaryDirectory(prefix="hybrid-build-") as name:
        folder = Path(name)
        (folder / "Dockerfile").write_text(content.dockerfile, encoding="utf-8")
        (folder / "Dockerfile.dockerignore").write_text(content.ignore_text, encoding="utf-8")
        yield folder


def _refuse_changed(spec: ImageSpec, content: ImageContent) -> None:
    if content_of(spec, lambda reference: content.bases.get(reference, "")).hash != content.hash:
        raise ContextError(
            f"A file in {spec.context} changed while its image was built.",
            why="The image would be tagged as one content and hold another. Nothing was pushed.",
            next_step="run the command again.",
        )


def _published(spec: ImageSpec, content: ImageContent, digest: str, *, built: bool) -> PublishedImage:
    return PublishedImage(f"{spec.repository}@{digest}", content.tag, digest, built)
