"""What a workflow of CI says of Serverless, line by line: a workflow may be a template, or no YAML at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Literal

from hybrid.switch.serverless_words import BASE_IMAGE, FAST_DEPLOYS, WORKFLOW_SIGNS

Forge = Literal["github", "gitlab", "other"]

_LONGEST_LINE: Final = 2000  # a longer one is no line that somebody wrote
_YES_OR_NO: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_OTHERS: Final = re.compile(
    r"(?:^|/)(?:bitbucket-pipelines\.ya?ml|azure-pipelines[^/]*\.ya?ml|\.circleci/[^/]+\.ya?ml|\.buildkite/[^/]+\.ya?ml"
    r"|\.travis\.ya?ml|buildspec[^/]*\.ya?ml|Jenkinsfile|Makefile|justfile|[^/]+\.sh)$",
    re.I,
)


@dataclass(frozen=True)
class BaseImage:
    """A base image of the team's own. ``is_tag``: the value is a tag in Serverless's registry, not a whole
    reference."""

    line: int
    value: str
    is_tag: bool


@dataclass(frozen=True)
class WorkflowFacts:
    """``lines`` are those that deploy to Serverless; ``builds`` how it builds, as far as it says."""

    provider: Forge
    lines: tuple[int, ...]
    builds: frozenset[str]
    base_images: tuple[BaseImage, ...]


def forge_of(path: str) -> Forge | None:
    """Whose workflow the file is, by its place and name; None: it is none."""
    place = PurePosixPath(path)
    is_yaml = place.suffix in {".yml", ".yaml"}
    if is_yaml and re.search(r"(?:^|/)\.github/(?:workflows|actions)/", path):
        return "github"
    if is_yaml and (place.name.endswith(("gitlab-ci.yml", "gitlab-ci.yaml")) or re.search(r"(?:^|/)\.gitlab/", path)):
        return "gitlab"
    return "other" if _OTHERS.search(path) else None


def scan_workflow(text: str, provider: Forge) -> WorkflowFacts | None:
    """None: nothing of it is about Serverless."""
    lines: list[int] = []
    builds: set[str] = set()
    images: list[BaseImage] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _without_comment(raw[:_LONGEST_LINE])
        sign = next((how for pattern, how in WORKFLOW_SIGNS if pattern.search(line)), None)
        if sign is not None:
            lines.append(number)
            builds |= {sign} - {""}
        builds |= _fast_deploys(line)
        images += [image for found in BASE_IMAGE.finditer(line) if (image := _image(found, number))]
    if not lines:
        return None
    return WorkflowFacts(provider, tuple(lines), frozenset(builds), tuple(images))


def _fast_deploys(line: str) -> set[str]:
    found = FAST_DEPLOYS.search(line)
    said = _YES_OR_NO.get(found["value"].lower()) if found else None
    if found is None or said is None:
        return set()
    return {"pex" if said == (found["name"] == "ENABLE_FAST_DEPLOYS") else "docker"}


def _image(found: re.Match[str], line: int) -> BaseImage | None:
    value = found["value"].strip("\"'")
    name = found["variable"] or found["option"]
    # `python:X-slim` is what Serverless takes by itself; `base_image:` alone declares an input
    if not value or re.fullmatch(r"python:.*-slim", value):
        return None
    return BaseImage(line, value, is_tag=name.lower().replace("-", "_").endswith("tag"))


def _without_comment(line: str) -> str:
    stripped = line.lstrip()
    return "" if stripped.startswith("#") else line.split(" #", 1)[0]
