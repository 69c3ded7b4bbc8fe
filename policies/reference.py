"""docs/policies.md, from the rules themselves: ``python -m policies.reference > docs/policies.md``."""

from __future__ import annotations

import sys
import textwrap
from typing import Final

from policies.rule import ResourceRule, Rule
from policies.rules import RULES

_HEAD: Final = """# Policies

`policies/` is a policy pack: rules that Pulumi's engine holds every resource of a stack against. `hybrid review` and
the workflows of CI run it. By hand it is asked for:

```console
$ hybrid preview prod --policies
✗ image-by-digest (TaskDefinition agent-task): Whoever moves a tag changes what runs with …
    TaskDefinition agent-task runs acme/agent:latest, which is no digest: what it names can be changed.
    Next: name the image by its digest (`…@sha256:…`); what `hybrid` builds and pins is named so.
    To allow it: Allowed("image-by-digest", "aws:ecs/taskDefinition:TaskDefinition::agent-task", because="…") in …
$ hybrid up prod --policies     # a preview first, and nothing is changed when it breaks a mandatory rule
$ pulumi preview --policy-pack policies/pulumi-analyzer-dagster-hybrid
```

A **mandatory** rule guards data or rights: when one is broken, `preview --policies` shows everything and ends with 11,
and `up --policies` changes nothing. An **advisory** one only says so. `--json` has them all:

```json
"policies": [{"policy": "image-by-digest", "level": "mandatory", "resource": "TaskDefinition agent-task",
              "message": "…"}]
```

The rules see what the program asks for, not what stands in a cloud, and the types of pulumi-aws, pulumi-azure-native
and pulumi-docker that are named below; the same thing made by another provider is not seen. A value that only the
update will know is judged by `up --policies` before the resource is made, and named in the preview (`judged-later`). Of
rules about what belongs together, such as a bucket and its block, an update alone would speak only at its end: hence
the preview before it.

The pack runs in the project's own environment and needs nothing of its own. It sees every value, as the provider does,
and shows none of a secret's.

## How to allow an exception

In `stacks/policy_exceptions.py`, which is the team's own and is reviewed like code; let those who answer for the
account own it in CODEOWNERS:

```python
EXCEPTIONS: Final = (
    Allowed(
        "bucket-versioning",
        "aws:s3/bucket:Bucket::scratch-*",
        because="Scratch space: everything in it can be computed again, and is gone after a week.",
        stack="dev-*",
    ),
)
```

The resource is type and name as a finding says them, with wildcards as in names of files; the type has to be said.
`stack` narrows it to some stacks; default: all. An unknown rule, an empty reason or a resource that means everything is
an error, and nothing is judged. An exception that lets nothing pass is a finding itself (`stale-exception`).

What the stack itself needs passes by the rule's own code, with its reason, and not by an exception: see the rules.
A pull request can write an exception for what it brings. It stands in the same diff, and the review does not list what
it allows.

## The rules

| rule | level |
|---|---|
"""


def markdown() -> str:
    """The whole page."""
    rows = "".join(f"| [`{rule.name}`](#{rule.name}) | {rule.level} |\n" for rule in RULES)
    return _HEAD + rows + "".join(_section(rule) for rule in RULES)


def _section(rule: Rule) -> str:
    asked = (
        "of each resource, before it is made" if isinstance(rule, ResourceRule) else "once, of all resources together"
    )
    parts = [
        _filled(f"{rule.level.capitalize()}; asked {asked}. {rule.reason}"),
        _filled(f"- **Looks at:** {rule.looks_at}", indent="  ")
        + "\n"
        + _filled(f"- **What to do:** {rule.todo[0].upper()}{rule.todo[1:]}", indent="  "),
    ]
    return f"\n### {rule.name}\n\n" + "\n\n".join(parts) + "\n"


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.stdout.write(markdown())
