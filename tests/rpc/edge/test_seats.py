# SPDX-License-Identifier: Apache-2.0
"""Contracts with named seats, and edits of contracts."""

from datetime import UTC, datetime
from typing import Any

import metronome
import pytest
import pytest_asyncio

from purser.ledger.v1 import ledger_pb2 as ledger
from tests.support.edge import RunningEdge, Sdk
from tests.support.mesh import Acme, advance

pytestmark = pytest.mark.asyncio(loop_scope="module")

START = datetime(2025, 6, 1, tzinfo=UTC)
THIRD = datetime(2025, 6, 3, tzinfo=UTC)


class Team:
    """A customer with three named seats, of which ann and bob have one; 10 credits for each seat and month."""

    def __init__(self, sdk: Sdk, customer: str, contract: str, subscription: str) -> None:
        self.sdk = sdk
        self.customer = customer
        self.contract = contract
        self.subscription = subscription

    async def edit(self, **changes: Any) -> Any:
        return await self.sdk(
            lambda c: c.v2.contracts.edit(customer_id=self.customer, contract_id=self.contract, **changes)
        )

    async def seats(self, **updates: Any) -> Any:
        return await self.edit(
            update_subscriptions=[{"subscription_id": self.subscription, "seat_updates": updates}]
        )

    async def history(self, **filters: Any) -> list[tuple[list[str], int]]:
        shown = await self.sdk(
            lambda c: c.v1.contracts.get_subscription_seats_history(
                customer_id=self.customer,
                contract_id=self.contract,
                subscription_id=self.subscription,
                **filters,
            )
        )
        return [(one.assigned_seat_ids, one.total_quantity) for one in shown.data]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def team(edge: RunningEdge, acme: Acme, sdk: Sdk) -> Team:
    customer = await sdk(lambda c: c.v1.customers.create(name="Team", ingest_aliases=["team"]))
    signed = await sdk(
        lambda c: c.v1.contracts.create(
            customer_id="team",
            rate_card_id=acme.offer.rate_card,
            starting_at=START,
            subscriptions=[
                {
                    "temporary_id": "s",
                    "subscription_rate": {
                        "billing_frequency": "MONTHLY",
                        "product_id": acme.offer.team_plan,
                    },
                    "collection_schedule": "ADVANCE",
                    "proration": {"is_prorated": True},
                    "quantity_management_mode": "SEAT_BASED",
                    "seat_config": {
                        "seat_group_key": "user_id",
                        "initial_seat_ids": ["ann", "bob"],
                        "initial_unassigned_seats": 1,
                    },
                }
            ],
            recurring_credits=[
                {
                    "product_id": acme.offer.included,
                    "access_amount": {"credit_type_id": acme.offer.ai_credits, "unit_price": 10},
                    "commit_duration": {"value": 1},
                    "priority": 1,
                    "starting_at": START,
                    "subscription_config": {
                        "subscription_id": "s",
                        "allocation": "INDIVIDUAL",
                        "apply_seat_increase_config": {"is_prorated": False},
                    },
                }
            ],
        )
    )
    shown = await sdk(
        lambda c: c.v2.contracts.retrieve(customer_id=customer.data.id, contract_id=signed.data.id)
    )
    await advance(edge.stubs, THIRD)
    return Team(sdk, customer.data.id, signed.data.id, shown.data.subscriptions[0].id)


async def test_added_ids_take_unassigned_seats_first_and_removed_ids_give_theirs_up(team: Team) -> None:
    await team.seats(add_seat_ids=[{"seat_ids": ["cat", "dan"], "starting_at": THIRD}])
    assert await team.history() == [(["ann", "bob"], 3), (["ann", "bob", "cat", "dan"], 4)]

    await team.seats(
        remove_seat_ids=[{"seat_ids": ["bob"], "starting_at": THIRD}],
        add_unassigned_seats=[{"quantity": 2, "starting_at": THIRD}],
    )
    assert await team.history(covering_date=THIRD) == [(["ann", "cat", "dan"], 5)]
    assert await team.history(limit=1) == [(["ann", "bob"], 3)]
    with pytest.raises(metronome.BadRequestError, match="cursor must be"):
        await team.history(cursor="x")


async def test_each_seat_has_its_own_balance(team: Team, acme: Acme) -> None:
    spent = await acme.stubs.gate.Debit(
        ledger.DebitRequest(
            request_id="ann-spends",
            customer="team",
            product_id=acme.offer.usage["AI Preview"],
            quantity_micros=1_000_000,
            group_values={"user_id": "ann"},
        )
    )
    assert spent.decision == ledger.DECISION_ALLOWED

    listed = await team.sdk(
        lambda c: c.v1.contracts.list_seat_balances(
            customer_id=team.customer,
            contract_id=team.contract,
            seat_ids=["ann", "nobody"],
            include_credits_and_commits=True,
        )
    )
    (ann,) = listed.data
    assert (ann.seat_id, ann.balances[0].balance, ann.balances[0].starting_balance) == ("ann", 5, 10)
    assert ann.credits[0].balance == 5
    assert (listed.pagination.seats_included, listed.pagination.next_page) == (1, None)


async def test_an_edit_of_several_changes_is_refused_and_does_nothing(team: Team) -> None:
    before = await team.history()
    later = datetime(2025, 6, 4, tzinfo=UTC)

    with pytest.raises(metronome.BadRequestError, match="send one edit for each"):
        await team.edit(
            update_subscriptions=[{"subscription_id": team.subscription, "seat_updates": {}}],
            update_contract_end_date=later,
        )
    with pytest.raises(metronome.BadRequestError, match="send one edit for each"):
        await team.seats(
            add_unassigned_seats=[{"quantity": 1, "starting_at": THIRD}],
            remove_unassigned_seats=[{"quantity": 1, "starting_at": later}],
        )
    with pytest.raises(metronome.BadRequestError, match="exactly one change"):
        await team.edit()
    assert await team.history() == before


async def test_a_contract_of_another_customer_is_unknown_and_stays_as_it_is(team: Team, acme: Acme) -> None:
    ids = {"customer_id": acme.contract.customer_id, "contract_id": team.contract}
    end = datetime(2025, 7, 1, tzinfo=UTC)

    with pytest.raises(metronome.NotFoundError, match="has no contract"):
        await team.sdk(lambda c: c.v2.contracts.edit(**ids, update_contract_end_date=end))
    with pytest.raises(metronome.NotFoundError, match="has no contract"):
        await team.sdk(lambda c: c.v1.contracts.update_end_date(**ids, ending_before=end))
    shown = await team.sdk(lambda c: c.v2.contracts.retrieve(customer_id="team", contract_id=team.contract))
    assert shown.data.ending_before is None


async def test_a_credit_that_is_added_can_be_spent_at_once(team: Team, acme: Acme) -> None:
    made = await team.edit(
        add_credits=[
            {
                "product_id": acme.offer.included,
                "priority": 2,
                "access_schedule": {
                    "credit_type_id": acme.offer.ai_credits,
                    "schedule_items": [
                        {
                            "amount": 2.5,
                            "starting_at": START,
                            "ending_before": datetime(2026, 6, 1, tzinfo=UTC),
                        }
                    ],
                },
            }
        ]
    )
    credit = made.data.edit.add_credits[0].id

    listed = await team.sdk.all(
        lambda c: c.v1.contracts.list_balances(customer_id=team.customer, include_balance=True, limit=1)
    )
    assert [(one.id, one.balance, one.priority) for one in listed] == [(credit, 2.5, 2)]


async def test_recurring_credits_and_ends_are_edited_one_by_one(team: Team) -> None:
    async def schedule() -> Any:
        shown = await team.sdk(
            lambda c: c.v2.contracts.retrieve(customer_id=team.customer, contract_id=team.contract)
        )
        return shown.data

    credit = (await schedule()).recurring_credits[0].id
    await team.edit(update_recurring_credits=[{"recurring_credit_id": credit, "ending_before": "2025-09-01"}])
    assert (await schedule()).recurring_credits[0].ending_before == datetime(2025, 9, 1, tzinfo=UTC)
    with pytest.raises(metronome.BadRequestError, match="is none of this contract"):
        await team.edit(update_recurring_credits=[{"recurring_credit_id": "sch_x", "ending_before": THIRD}])

    end = datetime(2025, 12, 1, tzinfo=UTC)
    await team.edit(update_contract_end_date=end)
    assert (await schedule()).ending_before == end
    ids = {"customer_id": team.customer, "contract_id": team.contract}
    await team.sdk(lambda c: c.v1.contracts.update_end_date(**ids))
    assert (await schedule()).ending_before is None


async def test_a_commit_whose_payment_failed_is_never_granted(
    team: Team, acme: Acme, edge: RunningEdge
) -> None:
    made = await team.edit(
        add_commits=[
            {
                "product_id": acme.offer.top_up,
                "type": "PREPAID",
                "access_schedule": {
                    "credit_type_id": acme.offer.ai_credits,
                    "schedule_items": [
                        {
                            "amount": 100,
                            "starting_at": THIRD,
                            "ending_before": datetime(2026, 6, 3, tzinfo=UTC),
                        }
                    ],
                },
                "invoice_schedule": {"schedule_items": [{"timestamp": THIRD, "amount": 800}]},
                "payment_gate_config": {"payment_gate_type": "EXTERNAL", "tax_type": "NONE"},
            }
        ]
    )
    commit = made.data.edit.add_commits[0].id
    path = "/v1/contracts/commits/threshold-billing/release"
    async with edge.http() as by_hand:
        failed = await by_hand.post(path, json={"workflow_id": commit, "outcome": "failed"})
        assert (failed.status_code, failed.json()) == (200, {"data": {"id": commit}})
        late = await by_hand.post(path, json={"workflow_id": commit, "outcome": "maybe"})
        assert (late.status_code, late.json()["message"]) == (400, "outcome must be one of paid, failed")

    listed = await team.sdk.all(
        lambda c: c.v1.contracts.list_balances(customer_id=team.customer, include_contract_balances=True)
    )
    assert commit not in {one.id for one in listed}
