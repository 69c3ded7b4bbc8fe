"""A checkout with the policy pack and exceptions of its own, against which programs are held by Pulumi's engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hybrid.engine import events
from hybrid.engine.engine import Outcome
from hybrid.engine.policies import startable
from tests.aws.program import STACK, AwsProgram
from tests.aws.served import served

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass
class Held:
    """A program that was held against the pack."""

    code: int
    said: str
    outcome: Outcome
    log: str = field(repr=False)

    def of(self, policy: str) -> list[events.PolicyFinding]:
        return [finding for finding in self.outcome.policies if finding.policy == policy]


class PolicyCheckout:
    """``stack_file``: what its stack's file says."""

    def __init__(self, root: Path, stack_file: str = "") -> None:
        (root / "stacks").mkdir(parents=True)
        (root / "stacks" / "__init__.py").touch()
        (root / "stacks" / f"Pulumi.{STACK}.yaml").write_text(stack_file, encoding="utf-8")
        for name in ("policies", "hybrid", ".venv"):
            (root / name).symlink_to(ROOT / name)
        self.root = root
        self.allow()

    def allow(self, *exceptions: str) -> None:
        """``exceptions``: as they are written in the file."""
        text = (ROOT / "stacks" / "policy_exceptions.py").read_text(encoding="utf-8")
        head, separator, _ = text.partition("EXCEPTIONS: Final")
        assert separator, "the team's file has its exceptions under that name"
        said = "".join(f"    {each},\n" for each in exceptions)
        written = f"{head}EXCEPTIONS: Final[tuple[Allowed, ...]] = (\n{said})\n"
        (self.root / "stacks" / "policy_exceptions.py").write_text(written, encoding="utf-8")

    def held(self, stack: AwsProgram, declared: Callable[[], None], command: str = "preview") -> Held:
        log = self.root / "events"
        log.unlink(missing_ok=True)
        agreed = ["--yes", "--skip-preview"] if command == "up" else []
        pack = f"--policy-pack={startable(self.root / 'policies')}"
        with served(declared) as address:
            client = [f"--client={address}", "--exec-kind", "auto.inline"]
            done = stack._run(command, *agreed, pack, "--event-log", str(log), *client)
        outcome = Outcome()
        for event in events.follow(log, ended=lambda: True):
            outcome.take(event)
        return Held(done.returncode, done.stdout, outcome, log.read_text(encoding="utf-8") if log.exists() else "")
