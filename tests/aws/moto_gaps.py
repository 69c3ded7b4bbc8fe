"""What moto has otherwise than AWS in the services beside ECS (moto 5.2.5). Each function closes one gap and says
which."""

from __future__ import annotations

from typing import Any, Final

from moto.ec2.models import security_groups

from tests.standins.ecs.patching import Gap, Patch


def a_security_group_rule_keeps_its_description(patch: Patch) -> None:
    """A rule that names a group or a prefix list loses its description, and shows it within the group it names."""
    original = security_groups.SecurityGroupRule.__init__

    def begin(self: Any, backend: Any, protocol: str, group: str, start: Any, end: Any, addresses: Any,
              source: Any = None, prefix_list: Any = None, **more: Any) -> None:  # fmt: skip
        said = [named.pop("Description", None) for named in (source, prefix_list) if named]
        original(self, backend, protocol, group, start, end, addresses, source, prefix_list, **more)
        self.said = next((text for text in said if text), None)

    def description(self: Any) -> str | None:
        return self.ip_range.get("Description") or self.said

    patch.set(security_groups.SecurityGroupRule, "__init__", begin)
    patch.set(security_groups.SecurityGroupRule, "description", property(description))


GAPS: Final = (Gap(a_security_group_rule_keeps_its_description),)
