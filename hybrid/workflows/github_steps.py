"""Steps that jobs of several workflows of GitHub have in common, as lines of YAML at the depth of a job's steps."""

from __future__ import annotations

from collections.abc import Sequence

from hybrid.workflows import actions
from hybrid.workflows.pipeline import filled

_CHECKOUT = """\
      - uses: <<checkout>>
        with:
          <<ref>>
          <<depth>>
          persist-credentials: false
      - uses: <<python>>
        with:
          python-version: "<<version>>"
      - name: Environment<<what>>
        run: make <<target>>
"""

_AWS = """\
      - name: Credentials of AWS, for an hour
        if: vars.AWS_ROLE != ''
        uses: <<aws>>
        with:
          role-to-assume: ${{ vars.AWS_ROLE }}
          aws-region: ${{ vars.AWS_REGION }}
"""

_FORGET_EMPTY = """\
          # a secret or variable that is not set reaches a step as an empty text, which is not the same as none
          for name in <<names>>; do
            if [ -z "${!name}" ]; then unset "$name"; fi
          done
"""


def checked_out(*, ref: str = "", whole: bool = False, pulumi: bool = True) -> str:
    """The checkout and its environment. ``ref``: an expression or a quoted name, else what the event is about.
    ``whole``: with all history. ``pulumi``: the Pulumi CLI too."""
    return filled(
        _CHECKOUT,
        checkout=actions.CHECKOUT,
        ref=f"ref: {ref}" if ref else "",
        depth="fetch-depth: 0" if whole else "",
        python=actions.SETUP_PYTHON,
        version=actions.PYTHON,
        what=" and tools" if pulumi else "",
        target="tools" if pulumi else "setup",
    )


def aws_credentials() -> str:
    """By OpenID Connect, in the last step before they are used."""
    return filled(_AWS, aws=actions.AWS)


def step_secrets(names: Sequence[str], given: Sequence[str]) -> tuple[str, str]:
    """What a step's ``env`` has beside ``given``, secrets of the job's environment by the names that the program
    wants; and the lines of its script that forget what is empty. Both to be put after their indentation."""
    further = [name for name in names if name not in given]
    token = {"GITHUB_TOKEN": "github.token"}
    lines = "".join(f"          {name}: ${{{{ {token.get(name, f'secrets.{name}')} }}}}\n" for name in further)
    return lines.strip(), filled(_FORGET_EMPTY, names=" ".join([*given, *further])).strip()
