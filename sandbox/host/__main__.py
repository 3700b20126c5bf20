"""Start the host: ``python -m sandbox.host``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType

from sandbox.host import timers, web
from sandbox.host.index import Function, Index, load
from sandbox.host.queues import Queues
from sandbox.host.settings import HostError, HostOptions, load_host, load_values
from sandbox.host.worker import Worker

log = logging.getLogger("host")

# Seconds a running function is given to end when the host is stopped.
GRACE = 5

# .NET's words for log levels, as host.json uses them.
LEVELS = {"trace": 10, "debug": 10, "information": 20, "warning": 30, "error": 40, "critical": 50, "none": 60}


def main() -> int:
    """Run the function app of a folder until it is told to stop; return the exit code."""
    arguments = _arguments()
    root = arguments.root.resolve()
    stop = threading.Event()
    _obey_signals(stop)
    try:
        file = arguments.settings or root / "local.settings.json"
        content = load_values(file) if arguments.settings or file.exists() else {}
        options = load_host(root, os.environ)
        key = os.environ.get("SANDBOX_FUNCTION_KEY") if arguments.enable_auth else None
        if arguments.enable_auth and not key:
            raise HostError("--enable-auth needs the setting SANDBOX_FUNCTION_KEY: the key callers must send.")
        _log_to_console(options)
        index = load(root)
        if not index.functions and not index.failures:
            raise HostError(f"{root} holds no function.")
        port = arguments.port if arguments.port is not None else int(content.get("Host", {}).get("LocalHttpPort", 7071))
        _run(index, options, root, arguments.address, port, key, stop)
    except HostError as error:
        print(f"The host cannot start: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        # Whatever importing the app raised: its sentence is what the reader needs, the trace only when asked for.
        if arguments.verbose:
            traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        hint = "" if arguments.verbose else "; --verbose shows the trace"
        place = f"{Path(where.filename).name}:{where.lineno}"
        print(f"The app cannot be loaded: {type(error).__name__}: {error} ({place}{hint})", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.host", description="Run the function app of a folder, as `func start` does."
    )
    parser.add_argument(
        "--root", type=Path, default=Path.cwd(), help="folder with function_app.py and host.json (default: this one)"
    )
    parser.add_argument(
        "--settings", type=Path, help="settings file (default: local.settings.json in that folder, when it is there)"
    )
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (default: 7071)")
    parser.add_argument(
        "--enable-auth", action="store_true", help="demand SANDBOX_FUNCTION_KEY where the auth level is not anonymous"
    )
    parser.add_argument("--verbose", action="store_true", help="show the trace when the app cannot be loaded")
    return parser.parse_args()


def _obey_signals(stop: threading.Event) -> None:
    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():  # asked twice: at once
            os._exit(1)
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    if sys.platform == "win32":
        signal.signal(signal.SIGBREAK, on_signal)


def _log_to_console(options: HostOptions) -> None:
    console = logging.StreamHandler(sys.stdout)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    console.setFormatter(formatter)
    level = LEVELS.get(options.log_levels.get("default", "information").lower(), logging.INFO)
    logging.basicConfig(level=level, handlers=[console])
    # They speak of every single request, ours included.
    for name in ("azure", "werkzeug", "urllib3", "msal"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _run(index: Index, options: HostOptions, root: Path, address: str, port: int, key: str | None, stop: threading.Event) -> None:
    failures = dict(index.failures)
    functions = []
    routes = []
    for function in index.functions:
        try:
            if function.kind == "http" and not function.disabled:
                routes.append(web.Route(function, options.route_prefix))
            functions.append(function)
        except HostError as error:
            failures[function.name] = str(error)
    queues = Queues(options.queues)
    worker = Worker(queues.emit)
    server = web.serve(web.Site(routes, functions, worker, key), address, port)
    threading.Thread(target=server.serve_forever, name="web", daemon=True).start()

    active = [function for function in functions if not function.disabled]
    clocks = [function for function in active if function.kind == "timer"]
    if clocks:
        threading.Thread(target=_run_timers, args=(clocks, worker, root, stop), name="timers", daemon=True).start()
    for function in active:
        if function.kind == "queue":
            queues.listen(function, worker)
    for function in functions:
        log.info("%s: %s%s", function.name, _trigger(function, options), " (disabled)" if function.disabled else "")
    for name, why in failures.items():
        log.error("%s was not loaded: %s", name, why)
    log.info("ready on http://%s:%d with %d functions", address, server.port, len(active))

    while not stop.wait(0.5):  # in steps, or Windows would not see Ctrl-C
        pass
    queues.stop()
    server.shutdown()
    queues.drain(GRACE)
    if still := worker.drain(0.5):
        log.warning("%d functions were still running; their messages return when their leases end", still)
    log.info("stopped")
    logging.shutdown()
    # Threads of functions that have not ended must not keep the process.
    os._exit(0)


def _run_timers(functions: list[Function], worker: Worker, root: Path, stop: threading.Event) -> None:
    identity = timers.host_id(root)
    with timers.singleton(timers.lock_file(root, identity), stop) as mine:
        if not mine:
            return
        threads = []
        for function in functions:
            timer = timers.Timer(
                function.name,
                dict(function.trigger),
                timers.Statuses(identity),
                lambda trigger, function=function: worker.invoke(function, trigger),  # type: ignore[misc]
            )
            threads.append(threading.Thread(target=timer.run, args=(stop,), name=f"timer {function.name}", daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join()


def _trigger(function: Function, options: HostOptions) -> str:
    if function.kind == "timer":
        return f"timer {function.trigger['schedule']}"
    if function.kind == "queue":
        return f"queue {function.trigger['queueName']}"
    route = "/".join(filter(None, (options.route_prefix, (function.trigger.get("route") or function.name).strip("/"))))
    methods = ",".join(str(method).upper() for method in function.trigger.get("methods") or ()) or "any method"
    return f"{methods} /{route}"


if __name__ == "__main__":
    sys.exit(main())
