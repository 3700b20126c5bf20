"""Telemetry through the OpenTelemetry API: one span a record, and the metrics that alerts and the workbook read.

It is off until ``start`` finds both the wish and the API; Azure's worker sets the exporter up (PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY).
Off, every call here costs a look-up. Attributes are ids, counts and our own short words: no names, no texts, no amounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from shared.outcomes import Outcome

COUNTER, GAUGE = "counter", "gauge"
# fmt: off
METRICS = {
    #  name                       kind     unit   what it tells                                            attributes
    "connector.ticks":           (COUNTER, "1",   "Turns of the timer tick"),
    "connector.records":         (COUNTER, "1",   "Messages taken across, by what became of them"),        # flow connector status action
    "connector.calls":           (COUNTER, "1",   "Requests sent to a vendor"),                            # vendor organisation
    "connector.waiting":         (GAUGE,   "1",   "Records tried and not yet across"),                     # flow connector
    "connector.parked":          (GAUGE,   "1",   "Records refused or failed, until somebody changes them"),  # flow connector
    "connector.oldest_waiting":  (GAUGE,   "s",   "Time since the first try of the oldest waiting record"),  # flow connector
    "connector.day_left":        (GAUGE,   "1",   "Calls Xero still allows the organisation today"),       # organisation
    "connector.disconnected":    (GAUGE,   "1",   "1 while a connector may not send, else 0"),             # connector state
}
# fmt: on

_NAME = "dynamics-xero-connector"
_calls: ContextVar[Counter[str] | None] = ContextVar("calls", default=None)
_instruments: dict[str, Any] = {}
_tracers: list[Any] = []


def start(is_wanted: bool) -> bool:
    """Switch telemetry on if it is wanted and OpenTelemetry is installed, else off; return which."""
    _instruments.clear()
    _tracers.clear()
    if not is_wanted:
        return False
    try:
        import opentelemetry.metrics as metrics
        import opentelemetry.trace as trace
    except ImportError:
        return False
    meter = metrics.get_meter(_NAME)
    make = {COUNTER: meter.create_counter, GAUGE: meter.create_gauge}
    _instruments.update({name: make[kind](name, unit, what) for name, (kind, unit, what) in METRICS.items()})
    _tracers.append(trace.get_tracer(_NAME))
    return True


def measure(name: str, value: float = 1, **attributes: str) -> None:
    """Add *value* to a counter of METRICS, or set a gauge; KeyError for a name that is not there."""
    kind = METRICS[name][0]
    if instrument := _instruments.get(name):
        (instrument.add if kind == COUNTER else instrument.set)(value, attributes)


def called(vendor: str, organisation: str) -> None:
    """Count one request sent to *vendor* ("xero", "dataverse"), for its organisation and for the record at hand."""
    measure("connector.calls", vendor=vendor, organisation=organisation)
    if (calls := _calls.get()) is not None:
        calls[vendor] += 1


@contextmanager
def record(flow: str) -> Iterator[Callable[[Outcome], None]]:
    """Span the work on one record; what is yielded takes its Outcome. An exception marks the span, without its words."""
    if not _tracers:
        yield lambda outcome: None
        return
    calls: Counter[str] = Counter()
    token = _calls.set(calls)
    with _tracers[0].start_as_current_span(f"record {flow}", record_exception=False, set_status_on_exception=False) as span:

        def told(outcome: Outcome) -> None:
            message, status = outcome.message, outcome.status.value
            span.set_attributes(
                {"connector": message.connector, "record": message.record, "status": status, "action": outcome.action}
                | {"attempt": message.attempt, "reason": message.reason}
            )
            measure("connector.records", flow=message.flow, connector=message.connector, status=status, action=outcome.action)

        span.set_attribute("flow", flow)
        try:
            yield told
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            raise
        finally:
            span.set_attributes({f"calls.{vendor}": calls[vendor] for vendor in ("xero", "dataverse")})
            _calls.reset(token)
