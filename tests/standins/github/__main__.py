"""``python -m tests.standins.github``: the stand-in to try commands against by hand; pull request 1 is open.

It prints what a shell needs, and every call; Ctrl-C ends it.
"""

from __future__ import annotations

import shlex
import time

from tests.standins.github import FakeGitHub


def main() -> None:
    with FakeGitHub() as github:
        github.add_pull_request(1)
        print("# A stand-in for GitHub's API, for tests only; nothing of it reaches GitHub.")
        for name, value in github.environ.items():
            print(f"export {name}={shlex.quote(value)}", flush=True)
        seen = 0
        try:
            while True:
                time.sleep(0.2)
                for call in github.calls[seen:]:
                    print(f"# {call.status} {call.line}", flush=True)
                    seen += 1
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
