"""Where a value stands in a YAML text, for edits that leave every other byte as it is."""

from __future__ import annotations

import yaml


def extent(text: str, node: yaml.Node) -> int:
    """Where a value ends. A block's own end mark lies after the blanks and comments that follow it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max(extent(text, part) for pair in node.value for part in pair)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return max(extent(text, part) for part in node.value)
    end = int(node.end_mark.index)
    return len(text[:end].rstrip()) if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"} else end
