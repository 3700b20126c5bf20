"""A headless Chromium driven by its DevTools protocol over a pipe: real clicks and keys, no driver to install."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
QUIET = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-dev-shm-usage", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--window-size=1500,1200"),
)
# The protocol speaks on the descriptors 3 and 4.
ON_3_AND_4 = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(ours[0], 3), os.dup2(ours[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
# Where an element is, when a person could click it there and its form is not being sent (it takes no click then). A click that
# misses it does nothing but leave word.
AIM = """
(() => {
  const selector = %s, one = document.querySelector(selector);
  if (!one || one.disabled || one.closest("form")?.querySelector("[aria-busy]")) return null;
  one.scrollIntoView({block: "center"});
  const box = one.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
  if (!one.contains(document.elementFromPoint(x, y))) return null;
  window.missed = true;
  window.addEventListener("click", (event) => {
    window.missed = !document.querySelector(selector)?.contains(event.target);
    if (window.missed) event.preventDefault(), event.stopImmediatePropagation();
  }, {capture: true, once: true});
  return [x, y];
})()
"""
KEYS = {"Tab": ("Tab", 9, ""), " ": ("Space", 32, " "), "Enter": ("Enter", 13, "\r")}


def found() -> str | None:
    """Return the browser of this machine, or None: CHROME_BIN, else by name on the PATH."""
    if sys.platform == "win32":  # its pipe needs inherited file descriptors
        return None
    return os.environ.get("CHROME_BIN") or next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """One browser with one page."""

    def __init__(self, binary: str, profile: Path) -> None:
        to_browser, self._to_browser = os.pipe()
        self._from_browser, from_browser = os.pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        argv = [binary, *QUIET, *sandbox, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", ON_3_AND_4, str(to_browser), str(from_browser), *argv],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._number = 0
        self._buffer = b""
        self._session = ""
        try:
            target = next(one for one in self._ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
            self._session = self._ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the browser; asked to, it takes its temporary files with it."""
        self._session = ""
        try:
            self._ask("Browser.close")
            self._process.wait(10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._to_browser)
        os.close(self._from_browser)

    def open(self, url: str) -> None:
        """Go to an address and wait until its page is there, and no longer the one before."""
        self._evaluate("window.left = true")
        self._ask("Page.navigate", url=url)
        self.wait(f"!window.left && location.href.startsWith({json.dumps(url.partition('#')[0])})")

    def read(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page, once all of the page is there."""
        self.wait("true")
        return self._evaluate(expression)

    def _evaluate(self, expression: str) -> Any:
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until all of the page is there and an expression is true, and return its value; fail with what it shows instead."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if self._evaluate("document.readyState === 'complete'") and (value := self._evaluate(expression)):
                    return value
            except AssertionError:
                pass  # the page is being left
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{expression} was not true after {PATIENCE} s:\n{self._evaluate('document.body.innerText')}"
                )
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """Click the middle of an element, as a mouse does; aim again when it has moved away meanwhile."""
        for _ in range(20):
            x, y = self.wait(AIM % json.dumps(selector))
            for kind in ("mousePressed", "mouseReleased"):
                self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
            try:
                missed = self._evaluate("window.missed")
            except AssertionError:
                return  # the click has led to another page
            if not missed:
                return
        raise AssertionError(f"{selector} cannot be hit")

    def press(self, key: str) -> None:
        """Press a key: Tab, Enter or the space bar."""
        code, number, text = KEYS[key]
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self._ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self._ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, file: Path) -> None:
        """Keep what the page looks like."""
        file.write_bytes(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def _ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            while b"\0" not in self._buffer:
                ready, _, _ = select.select([self._from_browser], [], [], max(0, deadline - time.monotonic()))
                assert ready, f"Chromium did not answer {method}"
                if not (chunk := os.read(self._from_browser, 65_536)):
                    raise BrokenPipeError("Chromium has ended")
                self._buffer += chunk
            text, _, self._buffer = self._buffer.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
