# SPDX-License-Identifier: Apache-2.0
"""The money of an end that was set ahead, when it passes. plan_credits.py writes what the Ledger answers.

Source: services/contract/README.md, "Money at an end".
"""

from collections.abc import Sequence
from dataclasses import replace

from meshkit.ids import Ids
from services.contract.domain.billing.state import BillingState
from services.contract.domain.contract import Contract, MoneyBack
from services.contract.domain.ids import PlanChangeId
from services.contract.domain.notices import plan_changed
from services.contract.domain.settlement import end_settlement
from services.contract.operations.billing.prices import Rates
from services.contract.store import Transaction


async def settle_passed_end(
    tx: Transaction, contract: Contract, states: Sequence[BillingState], rates: Rates, *, ids: Ids
) -> tuple[Contract, list[BillingState]]:
    """Write what is to be settled of an end that has passed, and the notice to the Ledger. Once per end.

    contract: locked, after its customer. states: before the end is billed. Returns both as settled.
    """
    assert contract.end_time is not None
    settlement = end_settlement(
        contract,
        [_with_rates(state, rates) for state in states],
        await tx.billing.promised(contract),
        plan_change_id=PlanChangeId(ids.new("pch")),
        end_time=contract.end_time,
        money_back=contract.end_money_back or MoneyBack.NONE,
        at=contract.end_time,
    )
    settled = replace(contract, settles_end=False)
    await tx.contracts.save_end_settled(contract.contract_id)
    if settlement is not None:
        await tx.plan_changes.insert(settlement)
        notice = plan_changed(settlement, ended=settled, begun=None)
        await tx.outbox.enqueue(notice, key=contract.customer_id)
    return settled, [replace(state, contract=settled) for state in states]


def _with_rates(state: BillingState, rates: Rates) -> BillingState:
    """Return a billing state with the prices at which its period is charged now, if one is."""
    subscription = state.subscription
    known = rates.get(subscription.subscription_id, subscription.rates)
    return replace(state, subscription=replace(subscription, rates=known))
