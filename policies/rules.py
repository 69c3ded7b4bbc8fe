"""All rules, in the order in which docs/policies.md tells them."""

from __future__ import annotations

from typing import Final

from policies import azure_access, azure_keeping, encryption, iam, public_access, retention, running, stack_tag
from policies.rule import ResourceRule, Rule, StackRule

RESOURCE_RULES: Final[tuple[ResourceRule, ...]] = (
    encryption.AT_REST,
    encryption.OWN_KEYS,
    public_access.PUBLIC_ACCESS,
    iam.STAR_ACTIONS,
    iam.STAR_RESOURCES,
    iam.INVERTED,
    running.SECRETS,
    running.IMAGES,
    retention.IMAGES,
    retention.LOGS,
    azure_access.PUBLIC_ACCESS,
    azure_access.KEYS,
    azure_access.ROLES,
    azure_access.TRUST,
    azure_keeping.VAULTS,
    azure_keeping.TRANSIT,
    stack_tag.TAGS,
)

STACK_RULES: Final[tuple[StackRule, ...]] = (
    encryption.BUCKETS,
    public_access.BUCKET_BLOCK,
    retention.VERSIONS,
    retention.LIFECYCLES,
    azure_keeping.PURGE,
    azure_keeping.RECOVERY,
)

STALE: Final = Rule(
    name="stale-exception",
    level="advisory",
    reason="An exception that nothing needs any more lets the next mistake of the same kind pass.",
    todo="take it out of stacks/policy_exceptions.py; if another stack needs it, say which by `stack`.",
    looks_at="The entries of stacks/policy_exceptions.py that are for this stack: that each has let something pass.",
)

LATER: Final = Rule(
    name="judged-later",
    level="advisory",
    reason="What only the update will know cannot be judged in a preview.",
    todo="run the update with the pack as well (`hybrid up --policies`); it judges each of them before it is made.",
    looks_at="Resources of which a preview does not know the very values that a mandatory rule judges, such as a "
    "policy with the ARN of something that is not made yet. Told once for a stack.",
)

ALLOWABLE: Final[tuple[Rule, ...]] = (*RESOURCE_RULES, *STACK_RULES)
"""The rules from which stacks/policy_exceptions.py can make exceptions."""

RULES: Final[tuple[Rule, ...]] = (*ALLOWABLE, STALE, LATER)
