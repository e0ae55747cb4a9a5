# SPDX-License-Identifier: Apache-2.0
"""GetDecision: what a hold is based on, or how the gate would decide now."""

from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits import burn_down
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.errors import CustomerNotFound, ProductNotFound
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.commands import ExplainAsk, ExplainHold
from services.ledger.domain.gate.decision import DenialReason, Entitlement
from services.ledger.domain.gate.explanation import Explanation
from services.ledger.domain.gate.spend_cap import cap_uses
from services.ledger.domain.gate.standing import Standing, ask_of, standing_at
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import PostgresStore, Transaction


class Explanations:
    """Explains decisions, on a snapshot: locks nothing and writes nothing."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def explain(self, command: ExplainAsk | ExplainHold) -> Explanation:
        """Raises CustomerNotFound, ProductNotFound, HoldNotFound."""
        at = self._clock.now()
        match command:
            case ExplainAsk():
                return await self._store.read(lambda tx: self._explain_ask(tx, command, at))
            case ExplainHold():
                return await self._store.read(lambda tx: self._explain_hold(tx, command, at))

    async def _explain_ask(self, tx: Transaction, command: ExplainAsk, at: datetime) -> Explanation:
        standing = await _standing(tx, command.customer, command.product_id, at)
        ask = ask_of(standing, command.amount, command.group_values)
        if isinstance(ask, DenialReason):
            return _denied_early(ask, standing.entitlement, at)
        opened = await open_account(
            tx,
            standing.customer_id,
            ask.entitlement.credit_type_id,
            at=at,
            ids=self._ids,
            group_values=ask.counted_group_values.items(),
        )
        account = opened.now
        verdict = gate.judge(account, ask, at=opened.at)
        grants = tuple(account.drawable(opened.at, ask.product_id))
        draws = burn_down.allocate(grants, verdict.credits).draws if verdict.reason is None else ()
        return Explanation(
            reason=verdict.reason,
            credits=verdict.credits,
            credit_type_id=account.credit_type_id,
            entitlement=ask.entitlement,
            draws=draws,
            grants=grants,
            caps=verdict.caps,
            decide_time=at,
            expire_time=None,
            available=verdict.available,
        )

    async def _explain_hold(self, tx: Transaction, command: ExplainHold, at: datetime) -> Explanation:
        customer_id = await tx.standings.customer_id(command.customer)
        credit_type_id = await tx.accounts.credit_type_of_hold(customer_id, command.hold_id)
        opened = await open_account(
            tx, customer_id, credit_type_id, at=at, ids=self._ids, hold_id=command.hold_id
        )
        account = opened.now
        hold = account.holds[command.hold_id]
        return Explanation(
            reason=None,
            credits=hold.amount,
            credit_type_id=credit_type_id,
            entitlement=Entitlement(
                contract_id=hold.contract_id,
                anchor=hold.anchor,
                credit_type_id=credit_type_id,
                price=hold.price,
            ),
            draws=hold.draws,
            grants=(),
            caps=cap_uses(
                account.caps, hold.counted_group_values, account.spends, anchor=hold.anchor, at=opened.at
            ),
            decide_time=hold.create_time,
            expire_time=hold.expire_time,
            available=account.available(opened.at, hold.product_id),
        )


async def _standing(tx: Transaction, customer: str, product_id: ProductId, at: datetime) -> Standing:
    customers = await tx.standings.customers({customer})
    if customer not in customers:
        raise CustomerNotFound(customer=customer)
    group_keys = await tx.standings.group_keys({product_id})
    if product_id not in group_keys:
        raise ProductNotFound(product_id=product_id)
    record = customers[customer]
    asked = (record.customer_id, product_id)
    prices = await tx.standings.prices({asked})
    return standing_at(record, product_id, group_keys[product_id], prices[asked], at=at)


def _denied_early(reason: DenialReason, entitlement: Entitlement | None, at: datetime) -> Explanation:
    return Explanation(
        reason=reason,
        credits=Credits(0),
        credit_type_id=None,
        entitlement=entitlement,
        draws=(),
        grants=(),
        caps=(),
        decide_time=at,
        expire_time=None,
        available=Credits(0),
    )
