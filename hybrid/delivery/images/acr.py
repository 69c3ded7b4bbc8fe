"""What Azure Container Registry tells of its images beyond what every registry does: which there are, since when, and
whether they are locked. By the registry's own API and the login that images are pushed with, so that no further library
is needed and only the right to the registry counts.

Source: github.com/Azure/azure-rest-api-specs, specification/containerregistry/data-plane; scopes of tokens:
github.com/Azure/acr/blob/main/docs/AAD-OAuth.md.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hybrid.azure.registry import is_acr
from hybrid.delivery.images.errors import LoginRefused, RegistryError
from hybrid.delivery.images.reference import Reference
from hybrid.redaction import redact

if TYPE_CHECKING:
    from hybrid.delivery.images.transport import Transport

__all__ = ["Acr", "AcrManifest", "is_acr"]

_PAGE: Final = 500
_GONE: Final = 404
_JSON: Final = {"Accept": "application/json"}


@dataclass(frozen=True)
class AcrManifest:
    """One manifest. ``pushed`` is when it came, ``changed`` when a tag was put on it or taken off; pulls are not noted.
    ``locked``: somebody told the registry not to delete it. ``size`` in bytes."""

    digest: str
    media_type: str
    tags: tuple[str, ...]
    pushed: datetime
    changed: datetime
    size: int
    locked: bool

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> AcrManifest:
        """Raises ``ValueError`` or ``KeyError`` for what is none."""
        attributes = told.get("changeableAttributes") or {}
        pushed = datetime.fromisoformat(told["createdTime"])
        changed = datetime.fromisoformat(told.get("lastUpdateTime") or told["createdTime"])
        if pushed.tzinfo is None or changed.tzinfo is None:
            raise ValueError("a time without its zone")
        return cls(
            digest=str(told["digest"]),
            media_type=str(told.get("mediaType") or ""),
            tags=tuple(sorted(map(str, told.get("tags") or ()))),
            pushed=pushed,
            changed=max(pushed, changed),
            size=int(told.get("imageSize") or 0),
            locked=attributes.get("deleteEnabled") is False,
        )


@dataclass(frozen=True)
class Acr:
    """One registry. Each method raises ``LoginRefused``, ``RegistryUnreachable`` or ``RegistryError``."""

    host: str
    transport: Transport

    def repositories(self) -> list[str]:
        """All that there are."""
        return [
            str(name)
            for page in self._pages("/acr/v1/_catalog", "registry:catalog:*")
            for name in page.get("repositories") or ()
        ]

    def manifests(self, repository: str) -> list[AcrManifest]:
        """All of a repository; none of one that is not there."""
        scope = f"repository:{repository}:metadata_read"
        try:
            return [
                AcrManifest.parse(told)
                for page in self._pages(f"/acr/v1/{repository}/_manifests", scope)
                for told in page.get("manifests") or ()
            ]
        except (KeyError, ValueError, TypeError, AttributeError) as fault:
            raise RegistryError(
                f"{self.host} tells of {repository} what cannot be read.",
                why=f"{type(fault).__name__}: {redact(str(fault))[:200]}",
                next_step="nothing was removed; report it with what `az acr manifest list-metadata` shows.",
            ) from None

    def delete(self, repository: str, digest: str) -> None:
        """Remove a manifest with all its tags; one that is gone is gone."""
        reference = Reference.parse(f"{self.host}/{repository}@{digest}")
        scope = f"repository:{repository}:delete"
        self._asked("DELETE", f"/v2/{reference.path}/manifests/{reference.digest}", scope)

    def _pages(self, path: str, scope: str) -> Iterator[Mapping[str, Any]]:
        """Page by page, by the links that the registry gives; a link to elsewhere is not followed."""
        following: str | None = f"{path}?n={_PAGE}"
        seen: set[str] = set()
        while following is not None:
            if following in seen:
                raise RegistryError(f"{self.host} gives the same page twice.", next_step="run the same command again.")
            seen.add(following)
            answer = self._asked("GET", following, scope)
            if answer is None:
                return
            try:
                page = json.loads(answer.content)
            except ValueError:
                page = None
            if not isinstance(page, dict):
                raise RegistryError(f"{self.host} answers {path} with what is no JSON object.")
            yield page
            following = _link(answer.links.get("next", {}).get("url"), path)

    def _asked(self, method: str, path: str, scope: str) -> Any:
        """The answer; None for what is not there."""
        scheme = "http" if Reference.parse(f"{self.host}/x").is_loopback else "https"
        answer = self.transport.send(method, f"{scheme}://{self.host}{path}", self.host, scope, None, _JSON)
        if answer.status_code == _GONE:
            return None
        if answer.status_code in {401, 403}:
            raise LoginRefused(
                f"{self.host} refuses `{scope}`.",
                why=f"It answered {answer.status_code}: the login may not do that there.",
                next_step="to list and remove images a login needs AcrPull and AcrDelete on the registry, or Owner.",
            )
        if not answer.is_success:
            raise RegistryError(
                f"{self.host} answered {answer.status_code} for {path.partition('?')[0]}.",
                why=redact(answer.text[:300]) or None,
                next_step="an image that is locked is removed after `az acr repository update --delete-enabled true`; "
                "else run the same command again.",
            )
        return answer


def _link(url: str | None, path: str) -> str | None:
    """Path and query of the next page, which must be one of ``path``."""
    if not url:
        return None
    parts = urllib.parse.urlsplit(url)
    if parts.path != path or not parts.query:
        raise RegistryError(f"The registry's next page of {path} is elsewhere.", next_step="run the command again.")
    return f"{path}?{parts.query}"
