"""Telemetry: one span a record, metrics with known names, nothing personal; nothing at all when it is off."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import telemetry
from shared.messages import SyncMessage
from shared.outcomes import Outcome, Status

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MESSAGE = SyncMessage("contoso.crm.dynamics.com|c1", "invoices-to-xero", "invoice/7d5f", attempt=2)
OUTCOME = Outcome(MESSAGE, Status.SYNCED, "Create", "INV-1 of Ada Lovelace for 1,000.00", NOON, xero_id="x1")
READER = InMemoryMetricReader()
SPANS = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def _providers():
    """OpenTelemetry keeps one provider for the whole process."""
    metrics.set_meter_provider(MeterProvider([READER]))
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(SimpleSpanProcessor(SPANS))
    trace.set_tracer_provider(tracer_provider)


@pytest.fixture
def _on():
    SPANS.clear()
    assert telemetry.start(True)
    yield
    telemetry.start(False)


def told() -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """What was measured since the last look, by name: (attributes, value)."""
    data = READER.get_metrics_data()
    found: list[Any] = (
        [metric for scope in data.resource_metrics for one in scope.scope_metrics for metric in one.metrics] if data else []
    )
    return {metric.name: [(dict(point.attributes), point.value) for point in metric.data.data_points] for metric in found}


@pytest.mark.usefixtures("_on")
def test_a_record_is_one_span_with_flow_connector_outcome_and_calls():
    with telemetry.record("invoices-to-xero") as done:
        telemetry.called("xero", "tenant")
        telemetry.called("xero", "tenant")
        telemetry.called("dataverse", "contoso.crm.dynamics.com")
        done(OUTCOME)
    (span,) = SPANS.get_finished_spans()
    assert span.name == "record invoices-to-xero"
    assert dict(span.attributes or {}) == {
        "flow": "invoices-to-xero",
        "connector": "contoso.crm.dynamics.com|c1",
        "record": "invoice/7d5f",
        "status": "synced",
        "action": "Create",
        "attempt": 2,
        "reason": MESSAGE.reason,
        "calls.xero": 2,
        "calls.dataverse": 1,
    }
    about = {"flow": "invoices-to-xero", "connector": "contoso.crm.dynamics.com|c1", "status": "synced", "action": "Create"}
    assert (about, 1) in told()["connector.records"]


@pytest.mark.usefixtures("_on")
def test_calls_outside_a_record_count_for_the_organisation_only():
    telemetry.called("xero", "tenant of sweeps")
    assert ({"vendor": "xero", "organisation": "tenant of sweeps"}, 1) in told()["connector.calls"]
    assert SPANS.get_finished_spans() == ()


@pytest.mark.usefixtures("_on")
def test_an_exception_marks_the_span_without_its_words():
    with pytest.raises(KeyError), telemetry.record("invoices-to-xero"):
        raise KeyError("Ada Lovelace")
    (span,) = SPANS.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "KeyError"
    assert "Lovelace" not in span.to_json()


@pytest.mark.usefixtures("_on")
def test_nothing_a_person_wrote_is_told():
    with telemetry.record("invoices-to-xero") as done:
        done(OUTCOME)
    (span,) = SPANS.get_finished_spans()
    assert "Lovelace" not in span.to_json() + str(told())
    assert "1,000" not in span.to_json() + str(told())


@pytest.mark.usefixtures("_on")
@pytest.mark.parametrize("name", telemetry.METRICS)
def test_every_metric_arrives_under_its_name(name):
    telemetry.measure(name, 3, connector=f"c of {name}")
    assert ({"connector": f"c of {name}"}, 3) in told()[name]


def test_off_it_does_nothing_but_still_refuses_a_name_nobody_knows():
    assert not telemetry.start(False)
    told()
    with telemetry.record("invoices-to-xero") as done:
        telemetry.called("xero", "nobody")
        done(OUTCOME)
    assert all("nobody" not in str(points) for points in told().values())
    with pytest.raises(KeyError):
        telemetry.measure("connector.nothing")


def test_without_the_packages_it_stays_off():
    code = "import sys; sys.modules['opentelemetry'] = None; from shared import telemetry; print(telemetry.start(True))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_off_the_packages_are_not_even_imported():
    code = "import sys; from shared import telemetry; telemetry.start(False); print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
