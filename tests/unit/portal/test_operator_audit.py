# SPDX-License-Identifier: Apache-2.0
"""Records of several services are one list, newest first, page by page, without a gap."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from meshkit.rpc.fields import timestamp
from purser.audit.v1.audit_pb2 import AuditEvent
from services.portal.formats import instant
from services.portal.operator.audit import ROWS, newest

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _events(service: str, seconds: Sequence[int]) -> list[AuditEvent]:
    return [
        AuditEvent(
            audit_event_id=f"{service}{second}", event_time=timestamp(NOON + timedelta(seconds=second))
        )
        for second in seconds
    ]


def _asked(of: Mapping[str, Sequence[AuditEvent]], before: str) -> dict[str, Sequence[AuditEvent] | None]:
    """Return what each service would answer to a request for its newest records before a time."""
    end = datetime.fromisoformat(before) if before else NOON + timedelta(days=1)
    answers: dict[str, Sequence[AuditEvent] | None] = {}
    for service, events in of.items():
        fitting = [one for one in events if instant(one.event_time) < end]
        answers[service] = sorted(fitting, key=lambda one: instant(one.event_time), reverse=True)[:ROWS]
    return answers


def test_pages_of_merged_records_leave_none_out_and_repeat_none() -> None:
    # Two services write at the same instants, where a page of ROWS would end in between.
    of = {
        "ledger": _events("l", range(4 * ROWS)),
        "contract": _events("c", range(0, 4 * ROWS, 3)),
        "alert": _events("a", [5, ROWS]),
    }
    seen: list[str] = []
    before = ""
    for _ in range(20):
        records, before = newest(_asked(of, before))
        times = [instant(one.event.event_time) for one in records]
        assert times == sorted(times, reverse=True)
        seen += [one.event.audit_event_id for one in records]
        if not before:
            break

    assert len(seen) == len(set(seen)) == sum(map(len, of.values()))


def test_a_service_that_is_away_is_left_out_of_the_list() -> None:
    records, before = newest({"ledger": None, "contract": _events("c", [1, 2])})

    assert [one.event.audit_event_id for one in records] == ["c2", "c1"]
    assert before == ""
    assert newest({"ledger": None}) == ([], "")
