"""A headless Chromium, spoken to by its own protocol, for tests of pages. Tests that need it are skipped without it."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.emulated.checkout import until

BINARY = next((found for found in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if found), None)
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
DEADLINE_SECONDS = 20.0


class Chromium:
    """One browser with one page. ``faults`` are the page's errors, and what its policy refused."""

    def __init__(self, folder: Path) -> None:
        assert BINARY is not None
        self._process = subprocess.Popen(
            [BINARY, *_OPTIONS, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        active = folder / "DevToolsActivePort"
        until(lambda: active.exists() and len(active.read_text().split()) == 2, seconds=30, what="Chromium listens")
        port = active.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            page = next(target for target in json.load(answer) if target["type"] == "page")
        self._socket: ClientConnection = connect(page["webSocketDebuggerUrl"], max_size=None)
        self._numbers = itertools.count(1)
        self.faults: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.recv(timeout=DEADLINE_SECONDS))
            if said.get("id") == number:
                assert "error" not in said, said["error"]
                return dict(said["result"])
            self._note(said)

    def _note(self, said: dict[str, Any]) -> None:
        parameters = said.get("params", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(parameters["exceptionDetails"])[:500])
        elif said.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.faults.append(parameters["entry"]["text"])
        elif said.get("method") == "Page.javascriptDialogOpening":
            self.faults.append(f"a dialog: {parameters['message']}")

    def open(self, url: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Show ``url``. Returns when the browser has gone there; what scripts do comes later (``wait``)."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of ``script`` in the page."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, script: str) -> Any:
        """The value of ``script`` as soon as it is true."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (found := self.run(script)):
            assert time.monotonic() < deadline, f"not in {DEADLINE_SECONDS} s: {script}; {self.faults}"
            time.sleep(0.05)
        return found

    def press(self, key: str) -> None:
        """A key, as a hand would press it."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
        text = {"Enter": "\r", " ": " "}.get(key)
        named = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": codes[key]}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
        self.ask("Input.dispatchKeyEvent", type="keyUp", **named)

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """The page as a PNG."""
        taken = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(DEADLINE_SECONDS)
