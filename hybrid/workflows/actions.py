"""Actions of others that the workflows use, each by the commit of a release: a tag can be moved, a commit cannot."""

from __future__ import annotations

from typing import Final

CHECKOUT: Final = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
SETUP_PYTHON: Final = "actions/setup-python@a309ff8b426b58ec0e2a45f0f869d46889d02405 # v6.2.0"
UPLOAD: Final = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1"
DOWNLOAD: Final = "actions/download-artifact@37930b1c2abaa49bbe596cd826c3c89aef350131 # v7.0.0"
AWS: Final = "aws-actions/configure-aws-credentials@ec61189d14ec14c8efccab744f656cffd0e33f37 # v6.1.0"

RUNNER: Final = "ubuntu-24.04"
"""Has git, make, a Docker engine with BuildKit, and bash."""
PYTHON: Final = "3.12"
