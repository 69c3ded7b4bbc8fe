"""What a session of pytest leaves in pytest's cache for `.ci/run`, which sees only make's exit code: whether all tests
were run, and why those that failed did."""

from __future__ import annotations

from typing import Final

import pytest

_MOST: Final = 6000
"""Characters of one failure: what a command of the test's said, with what explains it."""


def pytest_configure(config: pytest.Config) -> None:
    # workers hand their reports on
    if not hasattr(config, "workerinput") and getattr(config, "cache", None) is not None:
        config.pluginmanager.register(_Notes(config), "hybrid-ci-notes")


class _Notes:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.failures: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.failed:
            return
        crash = getattr(report.longrepr, "reprcrash", None)
        why = str(crash.message if crash is not None else report.longreprtext)
        if len(why) > _MOST:
            why = f"{why[: _MOST // 2]}\n[…]\n{why[-_MOST // 2 :]}"
        when = getattr(report, "when", "collect")
        self.failures.append(f"-- {report.nodeid} ({when})\n{why}\n")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """``hybrid/ended``: pytest's exit code, 0 or 1 where all tests were run. ``failures``: a text."""
        assert self.config.cache is not None
        self.config.cache.set("hybrid/ended", int(exitstatus))
        (self.config.cache.mkdir("hybrid") / "failures").write_text("\n".join(self.failures))
