"""Count what a push costs and measure what only a machine can tell; ``python -m benchmarks.calls`` writes docs/benchmarks.md.

Counts come from the real pipeline and clients against the stand-ins, in this process, with the harness of tests/crash. Times are of the
machine they were taken on and of stand-ins on that machine: they say how the product compares with itself, not how fast Xero is.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import requests

from benchmarks.fairness import BACKLOG, WORKERS, Simulation, percentile
from functions import facts, invoices
from functions.flows import BY_NAME, SWEEPS
from functions.sweep import sweep
from functions.tick import tick
from mappings.invoice import mapping_of
from sandbox.demo.dynamics import Dynamics
from tests.crash.harness import Call, CrashWorld, FaultPlan, crash_world
from tests.crash.test_call_budgets_from_xero import BY_DEFAULT, FROM_XERO, WITHOUT_WEBHOOKS, Counting
from tests.crash.test_crash_points import BILL, NEW_CUSTOMER, SALES_INVOICE, XERO_NUMBERED, Push, Stage
from tests.world import DRAFT

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: begin (python -m benchmarks.calls) -->", "<!-- figures: end -->"
T = TypeVar("T")

DRAFTED = Push("draft", SALES_INVOICE.make, settings=(("mag_defaultxerostatus", DRAFT),), status="DRAFT")
LATENCY = {"xero": 0.3, "dataverse": 0.15, "store": 0.01, "queue": 0.01, "host": 0.0}
IMPORTS = "import azure.functions, azure.storage.queue, azure.data.tables"


def new_customer(world: CrashWorld) -> str:
    return world.invoice("kereru")


def new_item(world: CrashWorld) -> str:
    invoice = world.invoice(lines=0, flag=False)
    world.line(invoice, product="consulting", unit="hour")
    world.flag(invoice)
    return invoice


def main() -> None:
    """Take every figure and write them into the page."""
    logging.disable(logging.WARNING)
    sections = []
    with crash_world() as world:
        world.connect()
        for known in ("ridgeway", "truxton"):
            world.invoices = [world.invoice(known)]
            world.run()
        stage = Stage(world)
        sections += [pushes(stage), sends(stage), mapping(stage), rate(stage)]
    with crash_world() as world:
        sections[1:1] = [from_xero(Counting(world))]
    sections += [fairness(), cold_start(), latency()]
    now = datetime.now(UTC)
    machine = f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, {platform.system()}"
    head = f"Taken on {now:%Y-%m-%d} on {machine}; load {os.getloadavg()[0]:.1f} when the last was taken."
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text("\n\n".join((before.rstrip(), BEGIN, head, *sections, END)) + after, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written.")


def table(head: str, rows: list[tuple[Any, ...]]) -> str:
    columns = head.count("|") + 1
    return "\n".join([f"| {head} |", "|" + "---|" * columns, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


# ── counts ──


def counted(stage: Stage, push: Push, fault: tuple[str, str] | None = None) -> Counter[str]:
    """Count the I/Os of one push by edge, from the message on; *fault* is (what, kind) of the one that fails."""
    stage.set(push, swept=True)
    calls = stage.calls()
    if fault:
        number = next(number for number, call in enumerate(calls, 1) if fault[0] in str(call))
        assert not stage.run({number: fault[1]})
        calls = [call for call in stage.world.plan.calls if "mag_" not in call.what]
    return Counter(call.edge for call in calls)


def pushes(stage: Stage) -> str:
    cases: list[tuple[str, Push, tuple[str, str] | None, str]] = [
        ("approved sales invoice, customer known and unchanged", SALES_INVOICE, None, "2"),
        ("draft", DRAFTED, None, "1"),
        ("bill", BILL, None, "+1 (look-up); a bill has no pay-now link"),
        ("numbered by Xero", XERO_NUMBERED, None, "3"),
        ("new customer", Push("a new customer", new_customer, calls=9), None, "+2"),
        ("new item", Push("a new item", new_item, calls=9, total=""), None, "+1"),
        ("new customer and new item", NEW_CUSTOMER, None, "+3"),
        ("sales invoice, the host dies after the create", SALES_INVOICE, ("PUT /api.xro/2.0/Invoices", "crash after"), "+1"),
        ("sales invoice, the answer to the create is lost", SALES_INVOICE, ("PUT /api.xro/2.0/Invoices", "lost after"), "+1"),
    ]
    rows: list[tuple[Any, ...]] = []
    for name, push, fault, budget in cases:
        found = counted(stage, push, fault)
        rows.append((name, found["xero"], budget, found["dataverse"] if not fault else "", found["store"], found["queue"]))
    redelivered = redelivery(stage)
    rows.append(
        (
            "a finished record delivered again",
            redelivered["xero"],
            "0",
            redelivered["dataverse"],
            redelivered["store"],
            redelivered["queue"],
        )
    )
    worst, pairs = two_faults(stage)
    rows.append((f"worst of {pairs} pairs of faults", worst, "≤ 6", "", "", ""))
    head = "one push | Xero calls | budget | Dataverse round trips | table operations | queue operations"
    return "### Calls\n\n" + table(head, rows)


def from_xero(counting: Counting) -> str:
    """Count what comes back: payments in one sweep, and a day on which nothing happens."""
    rows: list[tuple[Any, ...]] = []
    for count in (1, 10, 40, 41, 120, 300):
        found = counting.paid(count)
        rows.append(
            (
                f"{count} payment{'s' if count > 1 else ''} in one sweep, each of another invoice",
                found["xero"],
                f"≤ {2 - -count // 40}",
                found["dataverse"],
            )
        )
    everything = tuple(flow.name for flow in FROM_XERO)
    for name, flows, budget in (
        ("a day without a change, the flows that are on by default", BY_DEFAULT, f"≤ {WITHOUT_WEBHOOKS}"),
        ("a day without a change, invoices and contacts from Xero as well", everything, ""),
    ):
        found = counting.day(*flows)
        rows.append((name, found["xero"], budget, found["dataverse"]))
    return "### What comes back\n\n" + table("from Xero | Xero calls | budget | Dataverse round trips", rows)


def redelivery(stage: Stage) -> Counter[str]:
    stage.set(SALES_INVOICE, swept=True)
    world = stage.world
    world.put_back(stage.state)
    (text,) = world.queues.visible("invoices-to-xero")
    stage.calls()
    before = len(world.plan.calls)
    world.deliver(text)
    return Counter(call.edge for call in world.plan.calls[before:])


def two_faults(stage: Stage) -> tuple[int, int]:
    """Return the most Xero calls of a sample of pairs of faults, and how many pairs that were."""
    most = pairs = 0
    for push in (SALES_INVOICE, BILL):
        stage.set(push, swept=True)
        calls = stage.calls()
        firsts = [
            (number, kind) for number, call in enumerate(calls, 1) for kind in call.kinds if call.edge in ("xero", "dataverse")
        ]
        for number, kind in firsts[::2]:
            for after in (1, 4, 7, 12, 16):
                wrong = stage.run({number: kind}, then=(after, number + after))
                assert not wrong, wrong
                most, pairs = max(most, stage.world.xero_calls()), pairs + 1
    return most, pairs


def sends(stage: Stage) -> str:
    """Count the HTTP sends of one create while the network does its worst."""
    stage.set(SALES_INVOICE, swept=True)
    creates = [number for number, call in enumerate(stage.calls(), 1) if "PUT" in str(call)]
    rows = []
    for kind, words in (
        ("lost after", "the answer is lost"),
        ("lost", "no answer within the time-out"),
        ("429", "429 with Retry-After"),
        ("503", "503"),
        ("500", "500"),
        ("refused", "the connection is refused"),
    ):
        stage.world.put_back(stage.state, {creates[0]: kind})
        message = stage.world.queues.take("invoices-to-xero")
        assert message is not None
        stage.world.deliver(message.text)
        sent = [call for call in stage.world.plan.calls if "PUT /api.xro/2.0/Invoices" in str(call)]
        rows.append((words, len(sent), "1"))
    return "### HTTP sends of one create\n\n" + table("what the network does | sends | budget", rows)


# ── in virtual time ──


class _Timed(FaultPlan):
    """A plan in which every I/O takes its time."""

    def io(self, call: Call, perform: Callable[[], T], fail: Callable[[str, Callable[[], T]], T]) -> T:
        self.clock.move(LATENCY[call.edge])
        return perform()


def rate(stage: Stage, minutes: int = 10) -> str:
    """Push a backlog of one organisation for some virtual minutes."""
    world = stage.world
    world.put_back(stage.connected)
    world.invoices = [world.invoice() for _ in range(minutes * 31)]
    world.plan = _Timed(world.clock, world.durations)
    world.begin()
    world.xero.log.clear()
    begun = next_tick = world.clock.now() + timedelta(minutes=6)
    world.clock.set(begun)
    end, synced = begun + timedelta(minutes=minutes), 0
    while world.clock.now() < end:
        if world.clock.now() >= next_tick:
            next_tick += timedelta(minutes=1)
            tick(world.services, world.clock.now())
        for queue in (SWEEPS, *BY_NAME):
            message = world.queues.take(queue)
            if message is not None:
                if queue == SWEEPS:
                    sweep(message.text, world.services, world.clock.now())
                else:
                    synced += world.deliver(message.text).status == "synced"
                world.queues.done(queue, message)
                break
        else:
            visible = world.queues.next_at() or next_tick
            world.clock.set(max(world.clock.now() + timedelta(milliseconds=1), min(visible, next_tick)))
    statuses = Counter(entry.status for entry in world.xero.log.entries())
    share = sum(statuses.values()) / (60 * minutes)
    text = (
        f"One organisation with a backlog, {minutes} virtual minutes, one worker, a Xero call taking {LATENCY['xero']} s: {synced} invoices, "
        f"{sum(statuses.values())} Xero calls, **{share:.1%}** of what 60 a minute allow (budget ≥ 95 %), {statuses[429]} answers 429."
    )
    return "### Sustained rate\n\n" + text


def fairness() -> str:
    alone, beside = Simulation(0), Simulation(49)
    one, other = alone.run(), beside.run()
    ratio = percentile(other, 0.95) / percentile(one, 0.95)
    text = (
        f"An invoice every few seconds by a message of its own, {WORKERS} workers, virtual time, the real sweep, claims and limiter. Alone: "
        f"p50 {percentile(one, 0.5):.1f} s, p95 {percentile(one, 0.95):.1f} s. While 49 organisations work off {BACKLOG} invoices each: "
        f"p50 {percentile(other, 0.5):.1f} s, p95 {percentile(other, 0.95):.1f} s, **{ratio:.2f} ×** (budget 1.25 ×); "
        f"{beside.done} pushes, {beside.throttled} of them deferred by our own limiter."
    )
    return "### One organisation while 49 others back-fill\n\n" + text


# ── of this machine ──


def mapping(stage: Stage) -> str:
    """Time the mapping of one invoice of ten lines: processor time, no I/O."""
    world = stage.world
    world.put_back(stage.connected)
    invoice = world.invoice(lines=10)
    connector = world.connectors()[0]
    record = invoices.load(connector, world.services, [invoice])[0]
    assert record is not None
    table_ = mapping_of(record)
    known = facts.read(world.services, connector)
    given = {"Url": "https://x.test", "ContactID": invoices.NO_CONTACT, "tracking_categories": known.tracking_categories}
    times = []
    for _ in range(200):
        begun = time.process_time()
        table_.apply(record, connector.settings, given, now=world.clock.now())
        times.append((time.process_time() - begun) * 1000)
    return (
        f"### Mapping\n\nOne invoice of ten lines: median **{statistics.median(times):.2f} ms** of processor time (budget 1 ms)."
    )


def cold_start() -> str:
    """Import function_app and, to compare, the SDKs it cannot do without, each in new processes."""
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    settings = {name: value for name, value in sample.items() if isinstance(value, str)} | {
        "XERO_CLIENT_ID": "client",
        "XERO_CLIENT_SECRET": "secret",
        "DATAVERSE_TENANT_ID": "11111111-2222-3333-4444-555555555555",
        "DATAVERSE_CLIENT_ID": "11111111-2222-3333-4444-555555555556",
        "DATAVERSE_CLIENT_SECRET": "secret",
        "TOKEN_ENCRYPTION_KEYS": base64.b64encode(bytes(32)).decode(),
    }
    code = (
        "import time; begun = time.perf_counter(); {}; took = time.perf_counter() - begun; import pathlib, resource; "
        "status = pathlib.Path('/proc/self/status'); "  # ru_maxrss of Linux remembers the process we were forked from
        "peak = [line.split()[1] for line in status.read_text().splitlines() if line.startswith('VmHWM')] if status.exists() else "
        "[resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]; print(took, int(peak[0]) / 1024)"
    )

    def once(imports: str) -> tuple[float, float]:
        argv = [sys.executable, "-c", code.format(imports)]
        answer = subprocess.run(argv, env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True, check=True)
        took, mib = answer.stdout.split()
        return float(took) * 1000, float(mib)

    once("import function_app")  # makes the .pyc files
    pairs = [(once(IMPORTS), once("import function_app")) for _ in range(9)]
    sdks, app = (statistics.median(pair[which][0] for pair in pairs) for which in (0, 1))
    mib = statistics.median(pair[1][1] for pair in pairs)
    text = (
        f"Import of `function_app` with .pyc files: median {app:.0f} ms; of `azure.functions` and the storage SDKs alone {sdks:.0f} ms: "
        f"**{app / sdks:.2f} ×** (budget 1.15 ×). Resident: **{mib:.0f} MiB** (budget 80)."
    )
    return "### Cold start\n\n" + text


def latency(number: int = 20, wait: float = 0.2) -> str:
    """Flag invoices one after the other in the whole product as processes, every stand-in call taking *wait* seconds."""
    from sandbox.demo.story import Story
    from tests.product import running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "run") as product:
        Story(product, say=lambda line: None).connect()
        invoice_ids = [_written(product.dynamics) for _ in range(number + 1)]
        with _slow(product.xero_url, wait), _slow(product.dataverse_url, wait, str(product.ca_file)):
            seconds = [_flag_and_wait(product, invoice) for invoice in invoice_ids]
    first, rest = seconds[0], sorted(seconds[1:])
    text = (
        f"The product as processes (Azurite, stand-ins, host) on this machine, every call to a stand-in slowed by {wait * 1000:.0f} ms, "
        f"`maxPollingInterval` 2 s, {number} invoices one after the other, the sweep asked for at once in place of Dataverse's webhook: "
        f"p50 {percentile(rest, 0.5):.1f} s, **p95 {percentile(rest, 0.95):.1f} s** (budget 5 s); the first {first:.1f} s."
    )
    return "### Flag set → invoice in Xero\n\n" + text


@contextlib.contextmanager
def _slow(url: str, wait: float, authorities: str | bool = True) -> Iterator[None]:
    session = requests.Session()
    session.trust_env, session.verify = False, authorities
    fault = {"kind": "delay", "seconds": wait, "times": 1_000_000, "match": {"path": "^/api"}}
    session.post(f"{url}/sandbox/faults", json=[fault], timeout=30).raise_for_status()
    try:
        yield
    finally:
        session.delete(f"{url}/sandbox/faults", timeout=30)


def _written(dynamics: Dynamics) -> str:
    from sandbox.dataverse.demo_company import ID
    from sandbox.demo.story import midnight, today

    body = {
        "name": "Measured",
        "customerid_account@odata.bind": f"accounts({ID['ridgeway']})",
        "pricelevelid@odata.bind": f"pricelevels({ID['NZD prices']})",
        "transactioncurrencyid@odata.bind": f"transactioncurrencies({ID['NZD']})",
        "datedelivered": midnight(today()),
        "duedate": today().isoformat(),
    }
    invoice = str(dynamics.create("invoices", body)["invoiceid"])
    line = {"isproductoverridden": True, "productdescription": "Work", "quantity": 1, "priceperunit": 100}
    dynamics.create("invoicedetails", line | {"invoiceid@odata.bind": f"invoices({invoice})", "lineitemnumber": 1})
    return invoice


def _flag_and_wait(product: Any, invoice: str) -> float:
    """Return the seconds from the flag to the document in Xero, as the Xero stand-in's own log says."""
    product.dynamics.change(f"invoices({invoice})", mag_addtoxero=True)
    begun = time.time()
    product.look_now()
    deadline = time.monotonic() + 60
    session = requests.Session()
    session.trust_env = False
    known = len(session.get(f"{product.xero_url}/sandbox/log", timeout=30).json())
    while time.monotonic() < deadline:
        log: list[dict[str, Any]] = session.get(f"{product.xero_url}/sandbox/log", timeout=30).json()
        made = [entry for entry in log[known:] if entry["method"] == "PUT" and entry["path"].endswith("/Invoices")]
        if made:
            seconds = datetime.fromisoformat(made[0]["at"]).timestamp() - begun
            while not product.dynamics.read(f"invoices({invoice})", select="mag_synchedwithxero")["mag_synchedwithxero"]:
                time.sleep(0.2)
            return seconds
        time.sleep(0.05)
    raise TimeoutError("an invoice did not reach Xero within a minute")


if __name__ == "__main__":
    main()
