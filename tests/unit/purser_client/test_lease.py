# SPDX-License-Identifier: Apache-2.0
"""What a lease says of itself between its reports."""

from datetime import UTC, datetime

from purser_client import Credits
from purser_client.leases.lease import Lease, LeaseTerms

EXPIRE_TIME = datetime(2025, 6, 1, tzinfo=UTC)


def terms(leased_micros: int) -> LeaseTerms:
    return LeaseTerms(
        leased_micros=leased_micros,
        ends=30.0,
        expire_time=EXPIRE_TIME,
        price_micros=1,
        per_micros=1,
        available_micros=0,
    )


def a_lease(leased_micros: int) -> Lease:
    return Lease(
        lease_id="lse_1",
        customer="acme",
        product="prd_assistant",
        group_values={},
        credit_type_id="ct_ai",
        terms=terms(leased_micros),
        use_ids=1,
    )


def test_a_renewal_pays_for_open_blocks_and_for_what_was_used_since_its_report_began() -> None:
    lease = a_lease(1_000)
    assert lease.spend(300, Credits(300), {}, now=0.0)
    lease.begin_report()
    assert lease.spend(20, Credits(20), {}, now=0.0)
    assert lease.reserve(100, now=0.0)

    assert lease.needed_micros == 120
    lease.reported(terms(lease.needed_micros + 5))
    assert not lease.hold_more(6, now=0.0)
    assert lease.hold_more(5, now=0.0)


def test_a_lease_is_not_spent_from_its_end_on() -> None:
    lease = a_lease(1_000)

    assert lease.spend(1, Credits(1), {}, now=29.999)
    assert lease.spend(1, Credits(1), {}, now=30.0) is None
    assert not lease.reserve(1, now=30.0)


def test_a_use_has_its_time_by_the_ledgers_clock_whatever_the_clock_of_this_machine_says() -> None:
    use = a_lease(1_000).spend(1, Credits(1), {}, now=10.0)

    assert use is not None
    assert use.time_micros == (EXPIRE_TIME.timestamp() - 20) * 1_000_000
