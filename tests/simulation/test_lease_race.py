# SPDX-License-Identifier: Apache-2.0
"""A short race of clients with leases; `make lease-race` runs a long one. And what its comparison finds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from purser.ledger.v1 import ledger_admin_pb2 as apb
from tests.simulation.conftest import Plan
from tests.simulation.lease_race.call_log import CallLog
from tests.simulation.lease_race.outcome import Outcome, verdict
from tests.simulation.lease_race.pool import History, Stored
from tests.simulation.lease_race.run import race
from tests.support.postgres import Databases

CONSISTENT = apb.VerifyLedgerResponse(is_consistent=True)
# 300 are available from second 1 on, and 100 before that and from second 4 on.
HISTORY = History(times=[0.0, 1.0, 1.5, 4.0, 5.0], available=[100, 300, 300, 100, 100])


# On a busy machine, which may also stand still, it takes minutes, and must succeed too.
@pytest.mark.timeout(900)
@pytest.mark.plain_postgres("triggers keep the history of the pool")
async def test_clients_with_leases_race_past_zero_while_they_ledgers_and_the_network_are_struck(
    databases: Databases, tmp_path: Path, plan: Plan
) -> None:
    outcome = await race(
        databases.url("ledger"), databases.admin_url, tmp_path, seed=plan.seed, strikes=4, late_seconds=60
    )

    assert outcome.is_good, "\n".join(verdict(outcome))
    assert outcome.struck.total() == 4
    assert any(call.is_leased for call in outcome.calls("used"))
    assert outcome.calls("denied")


def compared(
    log: CallLog,
    *,
    granted: int = 10_000,
    shortfall: int = 0,
    late: Mapping[str, int] | None = None,
    outages: Sequence[tuple[float, float]] = (),
    name: str = "ann",
    **charged: int,
) -> list[str]:
    """Return the findings of a race with one process. charged: of `name`, amounts and how often, as `_300=1`."""
    uses = Counter({int(amount.removeprefix("_")): count for amount, count in charged.items()})
    captured = sum(amount * count for amount, count in uses.items())
    outcome = Outcome(seed=1, planned=1, late_seconds=0.0, outages=list(outages))
    outcome.logs.all.append(log)
    stored = Stored(
        granted=granted,
        captured=captured,
        held=0,
        shortfall=shortfall,
        late=late or {},
        uses={name: uses},
        history=HISTORY,
    )
    outcome.compare(stored, CONSISTENT)
    assert outcome.is_good is not bool(outcome.wrong)
    return outcome.wrong


def said(*lines: str, has_spool: bool = False, killed: float | None = None) -> CallLog:
    """Return the log of a process; lines without the time begin with seconds."""
    log = CallLog("ann", has_spool, killed=killed)
    for line in lines:
        seconds, _, rest = line.partition(" ")
        log.read(f"{round(float(seconds) * 1e6)} {rest}")
    return log


USED = ("1.0 asked 1 300 300", "1.1 used 1 1")


def test_what_was_used_is_charged_once() -> None:
    assert compared(said(*USED), _300=1) == []
    assert compared(said(*USED), _300=2) == ["ann: a use of 300 was charged twice"]
    assert compared(said(*USED), _300=1, _200=1) == ["ann: 200 were charged, and never used"]
    assert compared(said(*USED)) == ["ann (not killed) lost a use of 300"]


def test_more_than_was_granted_is_overspent() -> None:
    assert compared(said(*USED), _300=1, granted=300) == []
    assert "overspent" in compared(said(*USED), _300=1, granted=299)[0]
    assert "overspent" in compared(said(*USED), _300=1, shortfall=1)[0]


def test_only_a_successor_may_report_later_than_a_lease_waits() -> None:
    late = {"ann": 50}

    assert compared(said(*USED, killed=2.0, has_spool=True), _300=1, late=late) == []
    assert compared(said(*USED, killed=2.0), _300=1, late=late) == [
        "ann has reported uses after the grace of their lease: 50 were not paid"
    ]
    assert len(compared(said(*USED, has_spool=True), _300=1, late=late)) == 1


def test_a_call_without_an_answer_may_have_been_charged_or_not() -> None:
    asked = said(*USED[:1], killed=2.0)

    assert compared(asked, _300=1) == compared(asked) == []


def test_a_killed_process_may_lose_its_last_second_unless_it_has_a_spool() -> None:
    assert compared(said(*USED, killed=2.0)) == []
    assert compared(said(*USED, killed=2.2)) == ["ann lost what it had used 1.10 s before it was killed"]
    assert compared(said(*USED, killed=2.0, has_spool=True)) == ["ann (a spool) lost a use of 300"]
    assert compared(said(USED[0], "1.1 used 1 0", killed=2.0)) == [
        "ann lost a use that the Ledger itself had decided"
    ]


def test_the_time_of_an_outage_is_not_counted_in_that_second() -> None:
    used = said(*USED, killed=5.0)

    assert compared(used, outages=[(0.5, 1.5), (1.5, 4.5)]) == []
    assert compared(used, outages=[(0.5, 1.5), (2.0, 4.4)]) == [
        "ann lost what it had used 3.90 s before it was killed"
    ]


def test_uses_of_a_stranger_are_found() -> None:
    assert compared(said(*USED), _300=1, name="ben") == [
        "ann (not killed) lost a use of 300",
        "uses of ben, who does not exist, were charged",
    ]


def test_a_race_that_was_stopped_has_shown_nothing() -> None:
    outcome = Outcome(seed=1, planned=2, late_seconds=0.0, stopped="ann ended by itself")

    assert not outcome.is_good
    assert verdict(outcome) == ["Stopped after 0 of 2 strikes: ann ended by itself."]


@pytest.mark.parametrize(
    ("asked", "answered", "is_false"),
    [(2.0, 3.9, True), (0.9, 3.9, False), (2.0, 4.0, False), (3.9, 4.5, False)],
    ids=["credits all the time", "they came later", "others got them", "others got them meanwhile"],
)
def test_a_denial_is_false_if_the_credits_were_available_all_the_time(
    asked: float, answered: float, is_false: bool
) -> None:
    denied = said(f"{asked} asked 1 250 250", f"{answered} denied 1 100 INSUFFICIENT_CREDITS")

    assert bool(compared(denied)) is is_false
