"""Dagster's side of the emulator: everything that touches Dagster's objects, loaded late.

Importing this package does not import Dagster; ``Runtime.load`` does, and takes about two seconds of CPU.

The seam: ``hybrid.emulator.seam.Runtime`` says what the control plane may ask. Two things go beyond types:
``info.context["headers"]`` has to be a mapping of the request's headers that does not mind their case (Starlette's
``request.headers`` is one), because event writes carry their ``Idempotency-Key`` there; ``info.context["deployment"]``
and, in a route's handler, ``request.scope["deployment"]`` are the deployment that the request was admitted to; and
``storage.graphql`` extends ``Query`` and ``Mutation`` and defines ``PythonError``, ``BigInt``, ``GenericScalar`` and
``JSONString``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid.emulator.presigned import Signer
    from hybrid.emulator.runtime.deployment import OrganizationParts
    from hybrid.emulator.runtime.loaded import LoadedRuntime
    from hybrid.emulator.seam import LocationDocuments

SDL_FILE = Path(__file__).with_name("storage.graphql")


def storage_sdl() -> str:
    """The schema of the storage operations, readable without loading anything."""
    return SDL_FILE.read_text(encoding="utf-8")


class Runtime:
    """How the runtime is come by."""

    @staticmethod
    def documents() -> LocationDocuments:
        """What judges locations' documents; a third of the imports of ``load``, and none are left for later."""
        from hybrid.emulator.runtime import location_document

        sample = {"location_name": "sample", "code_source": {"module_name": "sample"}}
        location_document.validate_document(sample)
        location_document.deploy_metadata(sample, {})
        return location_document

    @classmethod
    def load(cls, data: Path, organization: OrganizationParts, signer: Signer) -> LoadedRuntime:
        """Import Dagster, open the storages under ``data`` and start the daemons."""
        from hybrid.emulator.runtime.loaded import LoadedRuntime

        return LoadedRuntime(data, organization, signer)
