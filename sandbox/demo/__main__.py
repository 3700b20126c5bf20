"""Read the command line, run the story, and leave nothing behind."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from pathlib import Path

from sandbox.demo.connecting import Unfinished
from sandbox.demo.product import LOOK_EVERY, ROOT, CannotStart, Ports, Product
from sandbox.demo.second_act import WHERE, SecondAct
from sandbox.demo.second_verdict import SecondVerdict
from sandbox.demo.story import Story
from sandbox.demo.verdict import Verdict

BUSY, FAILED, STOPPED = 2, 1, 130


def main() -> int:
    """Run the demo and return its exit code: 0 verified (or stopped later), 1 something is missing, 2 it could not start."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job inherits that Ctrl-C is ignored
        signal.signal(number, signal.default_int_handler)
    began = time.monotonic()
    ports = Ports(options.console_port, options.xero_port, options.dataverse_port, options.app_port)
    product = Product(Path(options.run_dir).resolve(), ports, options.time_scale, _say)
    try:
        _say("Starting everything on this machine")
        product.start()
        is_verified = _show(product, began)
        if options.once:
            return 0 if is_verified else FAILED
        _say(_addresses(product))
        while True:
            time.sleep(3600)
    except CannotStart as error:
        print(f"\n{error}", file=sys.stderr)
        return BUSY
    except Unfinished as error:
        print(f"\n{error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        _say("\nStopping ...")
        return STOPPED if options.once else 0
    finally:
        _ignore_interrupts()
        if product.started:
            product.stop()
            _say("Everything is stopped.")


def _show(product: Product, began: float) -> bool:
    """Show both acts and tell whether everything was verified; without the first there is nothing for the second to begin with."""
    story = _first_act(product)
    verdict = Verdict(story)
    _say(verdict.table())
    _say(f"\n{verdict.summary(time.monotonic() - began)}")
    if verdict.missing:
        _say("What comes back from Xero is not shown, because not everything arrived there.")
        return False
    act = _second_act(story)
    back = SecondVerdict(act)
    _say(back.table())
    _say(f"\n{back.summary(time.monotonic() - began)}")
    return not back.missing


def _first_act(product: Product) -> Story:
    story = Story(product, _say)
    _say("\nConnecting Dynamics 365 with two Xero organisations, through the app's own pages")
    story.connect()
    _say("\nWriting 15 invoices in Dynamics 365, as its administrator; then Add to Xero = Yes on each")
    story.write()
    story.flag()
    _say(
        f"  For the demo the app is asked to look every {LOOK_EVERY:g} s; by itself it looks every 5 minutes. All else is at its own pace.\n"
    )
    story.watch()
    _say("\nVerifying by the Web API of Dynamics 365 and the Accounting API of Xero")
    return story


def _second_act(story: Story) -> SecondAct:
    act = SecondAct(story, _say)
    _say(f"\nA bookkeeper works in Xero now, in {WHERE}; nothing is done in Dynamics 365")
    _say(
        "  For the demo the app is asked to look into Xero right after each of it, as Xero's webhook will; by itself it looks every 5 minutes.\n"
    )
    act.play()
    _say("\nVerifying by the Web API of Dynamics 365 and the Accounting API of Xero")
    return act


def _addresses(product: Product) -> str:
    return "\n".join(
        (
            "\nEverything stays up until Ctrl-C. Open:",
            f"  both sides       {product.console_url}          flag an invoice, approve and pay it in Xero, and watch",
            f"  connecting       {product.app_url}/connect/xero",
            f"  Xero's API       {product.xero_url}/sandbox/log   what was asked of it",
            f"  Dataverse's API  {product.dataverse_url}/api/data/v9.2/   (authorities: {product.ca_file})",
            f"  logs             {product.run_dir}",
        )
    )


def _options() -> argparse.Namespace:
    usual = Ports()
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.demo",
        description="Start the connector with stand-ins for Xero and Dynamics 365 and show its main job happening.",
    )
    parser.add_argument("--once", action="store_true", help="stop at the end; exit code 0 only when everything was verified")
    for name in ("console", "xero", "dataverse", "app"):
        parser.add_argument(
            f"--{name}-port", type=_port, default=getattr(usual, name), metavar="PORT", help="default: %(default)s"
        )
    parser.add_argument(
        "--time-scale", type=float, default=1, metavar="X", help="shorten every duration of the protocol (default: %(default)s)"
    )
    parser.add_argument(
        "--run-dir", default=str(ROOT / ".run" / "demo"), metavar="DIR", help="logs and data (made anew each time)"
    )
    return parser.parse_args()


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65_535:
        raise ValueError
    return port


def _ignore_interrupts() -> None:
    """Let nobody interrupt the stopping: pressing Ctrl-C twice must not leave a process behind."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):
            signal.signal(number, signal.SIG_IGN)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
