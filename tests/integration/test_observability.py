# SPDX-License-Identifier: Apache-2.0
"""What a running mesh shows of itself: metrics as deploy/grafana/METRICS.md says, and traces at a collector.

Traces that begin in Alert are all recorded, and none of those that begin in another service.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local import mesh
from deploy.local.database import SERVICES
from deploy.local.ports import HOST, free_port
from purser.alert.v1 import alert_pb2 as alert
from purser.ledger.v1 import ledger_pb2 as ledger
from tests.support.mesh import Acme, acme_at, process_mesh
from tests.support.metrics import documented, served
from tests.support.postgres import PostgresServer, own_database
from tests.support.trace_collector import SentSpan, TraceCollector, trace_collector

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAMPLED, UNSAMPLED = "01", "00"
CHOSEN = "4bf92f3577b34da6a3ce929d0e0e47"  # the traces that tests begin
PARENT = "00f067aa0ba902b7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A mesh with Acme. metrics: where each service serves them."""

    acme: Acme
    collector: TraceCollector
    metrics: dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def observed(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Observed]:
    metrics = {service: f"{HOST}:{free_port()}" for service in SERVICES}
    addresses = mesh.addresses(None)
    with pytest.MonkeyPatch.context() as patch:
        async with own_database(postgres_server) as databases, trace_collector() as collector:
            patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
            for service in SERVICES:
                patch.setenv(f"PURSER_{service.upper()}_METRICS_LISTEN", metrics[service])
                patch.setenv(f"PURSER_{service.upper()}_TRACES_ENDPOINT", collector.address)
                ratio = "1" if service == "alert" else "0"
                patch.setenv(f"PURSER_{service.upper()}_TRACES_SAMPLE_RATIO", ratio)
            folder: Path = tmp_path_factory.mktemp("mesh")
            async with process_mesh(databases, folder, addresses=addresses), acme_at(addresses) as acme:
                yield Observed(acme=acme, collector=collector, metrics=metrics)


def _traceparent(trace_id: str, flags: str) -> tuple[tuple[str, str]]:
    return (("traceparent", f"00-{trace_id}-{PARENT}-{flags}"),)


async def _trace(observed: Observed, trace_id: str, *names: tuple[str, str]) -> Sequence[SentSpan]:
    """Return the spans of a trace once it has these, each by its service and name."""
    return await observed.collector.until(set(names), lambda one: one.trace_id == trace_id)


def _named(spans: Sequence[SentSpan], service: str, name: str) -> SentSpan:
    [found] = [one for one in spans if (one.service, one.name) == (service, name)]
    return found


async def test_every_metric_that_is_served_is_in_the_table_and_every_one_of_the_table_is_served(
    observed: Observed,
) -> None:
    table = documented()

    for service, address in observed.metrics.items():
        wanted = {
            name: one.kind for name, one in table.items() if one.served_by in ("all", "services", service)
        }
        assert served(address).kinds == wanted, service


async def test_the_labels_of_what_has_happened_are_those_of_the_table(observed: Observed) -> None:
    await observed.acme.authorize(1)
    table = documented()

    for address in observed.metrics.values():
        for name, found in served(address).labels.items():
            assert found <= {table[name].labels}, name


async def test_a_call_that_its_caller_traces_is_recorded_down_to_the_steps_of_its_batch(
    observed: Observed,
) -> None:
    trace_id = f"{CHOSEN}36"

    await observed.acme.stubs.gate.Authorize(observed.acme.ask(1), metadata=_traceparent(trace_id, SAMPLED))

    authorize = "purser.ledger.v1.LedgerService/Authorize"
    spans = await _trace(
        observed, trace_id, ("ledger", authorize), ("ledger", "gate batch"), ("ledger", "guess")
    )
    call = _named(spans, "ledger", authorize)
    assert call.span.parent_span_id.hex() == PARENT
    assert call.attributes == {
        "rpc.system": "grpc",
        "rpc.service": "purser.ledger.v1.LedgerService",
        "rpc.method": "Authorize",
        "rpc.grpc.status_code": 0,
    }
    batch = _named(spans, "ledger", "gate batch")
    assert (batch.span.parent_span_id, batch.attributes) == (call.span.span_id, {"requests": 1})
    assert _named(spans, "ledger", "guess").span.parent_span_id == batch.span.span_id


async def test_a_refused_call_has_its_status_in_its_span(observed: Observed) -> None:
    trace_id = f"{CHOSEN}37"
    unknown = ledger.ReleaseRequest(request_id="unknown", customer="acme", hold_id="hld_unknown")

    with pytest.raises(Exception, match="hld_unknown"):
        await observed.acme.stubs.gate.Release(unknown, metadata=_traceparent(trace_id, SAMPLED))

    release = "purser.ledger.v1.LedgerService/Release"
    spans = await _trace(observed, trace_id, ("ledger", release))
    assert _named(spans, "ledger", release).attributes["rpc.grpc.status_code"] == 5


async def test_a_seat_change_is_one_trace_over_both_services(observed: Observed) -> None:
    trace_id = f"{CHOSEN}38"

    await observed.acme.stubs.contract.ChangeSeats(
        observed.acme.seat_request(1), metadata=_traceparent(trace_id, SAMPLED)
    )

    change = "purser.contract.v1.ContractService/ChangeSeats"
    apply = "purser.ledger.v1.LedgerPeerService/ApplySeatChange"
    contracts = [("contract", name) for name in (change, "deliver notice", apply)]
    spans = await _trace(observed, trace_id, *contracts, ("ledger", apply))
    applied = _named(spans, "ledger", apply)
    asked = _named(spans, "contract", apply)
    delivered = [one for one in spans if one.span.span_id == asked.span.parent_span_id]
    assert applied.span.parent_span_id == asked.span.span_id
    assert [one.attributes["kind"] for one in delivered] == ["SEATS_CHANGED"]
    assert delivered[0].span.parent_span_id == _named(spans, "contract", change).span.span_id


async def test_a_call_is_not_recorded_if_its_caller_does_not_record_it_nor_without_a_caller_at_a_ratio_of_0(
    observed: Observed,
) -> None:
    skipped, recorded = f"{CHOSEN}39", f"{CHOSEN}3a"
    gate, ask = observed.acme.stubs.gate, observed.acme.ask

    await gate.Authorize(ask(1), metadata=_traceparent(skipped, UNSAMPLED))
    await gate.Authorize(ask(1))
    await gate.Authorize(ask(1), metadata=_traceparent(recorded, SAMPLED))

    authorize = "purser.ledger.v1.LedgerService/Authorize"
    await _trace(observed, recorded, ("ledger", authorize), ("ledger", "gate batch"))
    decided = [one for one in observed.collector.spans if one.name in (authorize, "gate batch", "guess")]
    traces = {one.trace_id for one in decided}
    assert skipped not in traces
    assert all(trace_id.startswith(CHOSEN) for trace_id in traces)  # none began without a caller


async def test_a_call_without_a_caller_begins_a_trace_at_a_ratio_of_1(observed: Observed) -> None:
    name = "purser.alert.v1.AlertService/ListAlerts"

    await observed.acme.stubs.alert.ListAlerts(alert.ListAlertsRequest())

    spans = await observed.collector.until({("alert", name)}, lambda one: one.service == "alert")
    assert _named(spans, "alert", name).span.parent_span_id == b""
