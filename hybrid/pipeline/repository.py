"""The git repository of the checkout, as far as a deploy asks it beyond ``GitCheckout``: what the remote has, what lies
between two commits, what is in no commit. It reads; nothing is fetched."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Final

from hybrid.errors import UsageError
from hybrid.pipeline.checkout import SHA, GitCheckout
from hybrid.redaction import redact

_SECONDS: Final = 60  # asking the remote is among what is asked


@dataclass(frozen=True)
class Repository(GitCheckout):
    """``root`` lies in it."""

    def changed_files(self, *, untracked: bool) -> tuple[str, ...]:
        """What differs from HEAD; with ``untracked`` also files that are neither committed nor ignored.

        Raises ``UsageError`` when git cannot tell: a checkout is never taken for clean because of that.
        """
        chosen = "normal" if untracked else "no"
        lines = self._told("status", "--porcelain=v1", "-z", "--no-renames", f"--untracked-files={chosen}")
        return tuple(line[3:] for line in lines.split("\0") if line)

    def remote_head(self, branch: str) -> str | None:
        """The commit that the branch's remote has now, asked there; None when the branch follows none, or the remote
        does not have it.

        Raises ``UsageError`` when the remote cannot be asked: what it had some time ago is no answer.
        """
        remote = self._asked("config", "--get", f"branch.{branch}.remote")
        merged = self._asked("config", "--get", f"branch.{branch}.merge")
        if not remote or not merged or remote == ".":
            return None
        for line in self._told("ls-remote", "--", remote, merged).splitlines():
            commit, _, name = line.partition("\t")
            if name == merged and SHA.fullmatch(commit):
                return commit
        return None

    def between(self, older: str, newer: str, most: int) -> tuple[str, ...]:
        """The commits of the branch itself after ``older`` up to ``newer``, the newest first, at most ``most``. Of a
        merge only the merge commit: what it brought in was not pushed to the branch one by one."""
        listed = self._told("rev-list", "--first-parent", f"--max-count={most}", f"{older}..{newer}")
        return tuple(line for line in listed.splitlines() if SHA.fullmatch(line))

    def _told(self, *arguments: str) -> str:
        # a remote that asks for a password must not hang, and a look must not write the index
        quiet = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
        try:
            answer = subprocess.run(
                ["git", "-c", "core.quotePath=false", *arguments],
                cwd=self.root,
                env={**os.environ, **quiet},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise _unknown(arguments[0], "git is not on this machine.") from None
        except subprocess.TimeoutExpired:
            raise _unknown(arguments[0], f"It gave no answer within {_SECONDS} s.") from None
        if answer.returncode != 0:
            words = redact(os.fsdecode(answer.stderr).strip())
            raise _unknown(arguments[0], words or f"It ended with {answer.returncode}.")
        return os.fsdecode(answer.stdout)


def _unknown(command: str, why: str) -> UsageError:
    return UsageError(
        f"`git {command}` does not say what has to be known here.",
        why=why,
        next_step="mend that; a deploy is made from a clone that reaches its remote.",
    )
