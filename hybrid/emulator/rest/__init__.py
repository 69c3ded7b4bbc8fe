"""REST that the control plane serves by itself, without Dagster: a module a subject.

A route whose name begins with ``presigned:`` checks its own signature; all others find the admitted caller in
``request.scope["context"]`` and the deployment in ``request.scope["deployment"]``. Whatever they refuse they raise as
``Refusal``.
"""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Route

from hybrid.emulator.organization import Organization
from hybrid.emulator.presigned import Signer
from hybrid.emulator.rest.artifacts import ArtifactTransfers
from hybrid.emulator.rest.pex import PexUploads
from hybrid.emulator.rest.stored_values import StoredValues
from hybrid.emulator.serverless.pex_files import PexFiles


def all_routes(organization: Organization, signer: Signer, data: Path) -> list[Route]:
    """The routes of all subjects; what they keep lies below ``data``."""
    return [
        *ArtifactTransfers(organization.artifacts, signer).routes(),
        *PexUploads(signer, PexFiles(data)).routes(),
        *StoredValues(signer, data / "io_storage", organization.serverless).routes(),
    ]
