"""One stack's review as an order that can be carried out here or in a process of its own. The order holds no secret:
credentials are in the environment of whoever carries it out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hybrid.errors import EngineError, StoppedError
from hybrid.redaction import redact
from hybrid.review.base_tree import BaseTree
from hybrid.review.document import StackReview
from hybrid.toolchain import Pulumi
from hybrid.workspace import Workspace

STOPPED: Final = StoppedError.exit_code
_LAST_WORDS: Final = 4000


@dataclass(frozen=True)
class Order:
    """``pulumi`` None: offline. ``base`` is where the base's files are laid out, ``base_whole`` whether its program is
    among them, ``state`` where exported states lie for an offline one."""

    root: Path
    stack: str
    touched_by: tuple[str, ...]
    base: Path
    base_commit: str
    pulumi: Pulumi | None
    policies: bool
    withheld: bool
    base_whole: bool = False
    state: Path | None = None

    def text(self) -> str:
        pulumi = self.pulumi
        return json.dumps(
            {
                "root": str(self.root),
                "stack": self.stack,
                "touched_by": list(self.touched_by),
                "base": str(self.base),
                "base_commit": self.base_commit,
                "pulumi": None
                if pulumi is None
                else [str(pulumi.executable), pulumi.version, pulumi.origin, str(pulumi.bin_folder)],
                "policies": self.policies,
                "withheld": self.withheld,
                "base_whole": self.base_whole,
                "state": None if self.state is None else str(self.state),
            }
        )

    @classmethod
    def parse(cls, text: str) -> Order:
        said: dict[str, Any] = json.loads(text)
        pulumi = said["pulumi"]
        return cls(
            root=Path(said["root"]),
            stack=said["stack"],
            touched_by=tuple(said["touched_by"]),
            base=Path(said["base"]),
            base_commit=said["base_commit"],
            pulumi=None if pulumi is None else Pulumi(Path(pulumi[0]), pulumi[1], pulumi[2], Path(pulumi[3])),
            policies=said["policies"],
            withheld=said["withheld"],
            base_whole=said["base_whole"],
            state=None if said["state"] is None else Path(said["state"]),
        )


def in_this_process(order: Order, report: Callable[[str], None]) -> StackReview:
    """Carry ``order`` out here. Raises ``StoppedError`` after Ctrl-C."""
    report(f"{order.stack}: reviewing")
    workspace = Workspace(order.root)
    base = BaseTree(order.base_commit, Workspace(order.base), order.base_whole)
    if order.pulumi is None:
        from hybrid.review.offline import review_stack_offline

        found = review_stack_offline(workspace, order.stack, base=base, touched_by=order.touched_by, state=order.state)
    else:
        from hybrid.review.stack import review_stack

        found = review_stack(
            workspace,
            order.stack,
            pulumi=order.pulumi,
            environ=os.environ,
            base=base,
            report=lambda text: report(f"{order.stack}: {text}"),
            policies=order.policies,
            withheld=order.withheld,
            touched_by=order.touched_by,
        )
    report(f"{order.stack}: reviewed in {found.seconds:.1f} s")
    return found


def in_a_process(order: Order, report: Callable[[str], None]) -> StackReview:
    """Carry ``order`` out in a process of its own. Raises ``StoppedError`` when that was stopped, ``EngineError`` when
    it ended without a review."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hybrid.review.worker"],
        cwd=order.root,
        env={**os.environ, "HYBRID_ROOT": str(order.root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    report(f"{order.stack}: reviewing")
    out, err = process.communicate(order.text())
    if process.returncode == 0:
        found: StackReview = StackReview.model_validate_json(out)
        report(f"{order.stack}: reviewed in {found.seconds:.1f} s")
        return found
    if process.returncode == STOPPED or process.returncode < 0:
        raise StoppedError("The review was stopped.", next_step="run the same command again.")
    raise EngineError(
        f"The review of the stack '{order.stack}' ended without a result.",
        why=redact(err.strip())[-_LAST_WORDS:],
        next_step=f"`hybrid review --stack {order.stack}` shows more.",
    )


def _main() -> int:
    try:
        found = in_this_process(Order.parse(sys.stdin.read()), lambda text: None)
    except (StoppedError, KeyboardInterrupt):
        return STOPPED
    sys.stdout.write(found.model_dump_json())
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    code = _main()
    sys.stdout.flush()
    os._exit(code)  # once gRPC and Pulumi are loaded, the interpreter's own shutdown takes 0.2 s
