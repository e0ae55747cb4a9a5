# SPDX-License-Identifier: Apache-2.0
"""GetDecision: what a hold is based on, or how the gate would decide now."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits import burn_down
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.errors import ProductNotFound, RateNotFound
from services.ledger.domain.gate import gate, lines
from services.ledger.domain.gate.call_lines import asks_of
from services.ledger.domain.gate.capping import cap_uses
from services.ledger.domain.gate.capturing import available_to
from services.ledger.domain.gate.charging import quantity_of, quoted
from services.ledger.domain.gate.commands import ExplainAsk, ExplainHold, ExplainLines
from services.ledger.domain.gate.decision import DenialReason, Entitlement, ShadowDenial, Verdict
from services.ledger.domain.gate.explanation import ExplainedLine, Explanation
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.in_flight import in_flight_uses
from services.ledger.domain.gate.shadow import shadow_denial
from services.ledger.domain.gate.standing import CatalogCopies, CustomerRecord, PriceBook, ask_of
from services.ledger.domain.gate.subjects import held_by
from services.ledger.domain.rating.properties import PropertyProblem
from services.ledger.operations.credits.settlement import open_account
from services.ledger.store import PostgresStore, Transaction


class Explanations:
    """Explains decisions, on a snapshot: locks nothing and writes nothing."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def explain(self, command: ExplainAsk | ExplainLines | ExplainHold) -> Explanation:
        """Raises CustomerNotFound, ProductNotFound, RateNotFound, CreditTypesDiffer, HoldNotFound."""
        at = self._clock.now()
        match command:
            case ExplainAsk():
                return await self._store.read(lambda tx: self._explain_ask(tx, command, at))
            case ExplainLines():
                return await self._store.read(lambda tx: self._explain_lines(tx, command, at))
            case ExplainHold():
                return await self._store.read(lambda tx: self._explain_hold(tx, command, at))

    async def _explain_ask(self, tx: Transaction, command: ExplainAsk, at: datetime) -> Explanation:
        customer, (book,) = await _books(tx, command.customer, [command.product_id])
        ask = ask_of(customer, book, command.amount, command.group_values, command.properties, at=at)
        if isinstance(ask, DenialReason):
            return _denied_early(ask, _entitlement_at(book, at, command.properties), at)
        opened = await open_account(
            tx,
            customer.customer_id,
            ask.entitlement.credit_type_id,
            at=at,
            ids=self._ids,
            group_values=ask.counted_group_values.items(),
            prices=[ask.entitlement.price],
            seats=ask.group_values.items(),
        )
        account = opened.now
        verdict = gate.judge(account, ask, quoted(account, ask), at=opened.at, opens_hold=True)
        grants = tuple(account.drawable(opened.at, ask.product_id, verdict.purse))
        draws = burn_down.allocate(grants, verdict.credits).draws if verdict.reason is None else ()
        return Explanation(
            reason=verdict.reason,
            credits=verdict.credits,
            credit_type_id=account.credit_type_id,
            entitlement=ask.entitlement,
            draws=draws,
            grants=grants,
            caps=verdict.caps,
            in_flight=verdict.in_flight,
            shadow_denial=_shadow_denial(verdict),
            decide_time=at,
            expire_time=None,
            available=verdict.available,
            overage=verdict.overage if verdict.reason is None else Credits(0),
        )

    async def _explain_lines(self, tx: Transaction, command: ExplainLines, at: datetime) -> Explanation:
        customer, books = await _books(tx, command.customer, [line.product_id for line in command.lines])
        asks = asks_of(customer, books, command.lines, command.group_values, at=at)
        if isinstance(asks, DenialReason):
            return _denied_early(asks, None, at)
        opened = await open_account(
            tx,
            customer.customer_id,
            asks[0].entitlement.credit_type_id,
            at=at,
            ids=self._ids,
            group_values={value for ask in asks for value in ask.counted_group_values.items()},
            prices=[ask.entitlement.price for ask in asks],
            seats=asks[0].group_values.items(),
        )
        account = opened.now
        verdict = lines.judge(account, asks, at=opened.at)
        is_allowed = verdict.whole.reason is None
        draws = verdict.draws if is_allowed else tuple(() for _ in asks)
        return Explanation(
            reason=verdict.whole.reason,
            credits=verdict.whole.credits,
            credit_type_id=account.credit_type_id,
            entitlement=None,
            draws=tuple(draw for of_line in draws for draw in of_line),
            grants=tuple(
                grant
                for grant in account.drawable(opened.at, purse=verdict.purse)
                if any(grant.covers(ask.product_id) for ask in asks)
            ),
            caps=verdict.whole.caps,
            in_flight=verdict.whole.in_flight,
            shadow_denial=_shadow_denial(verdict.whole),
            decide_time=at,
            expire_time=None,
            available=verdict.whole.available,
            overage=verdict.whole.overage if is_allowed else Credits(0),
            lines=tuple(
                ExplainedLine(
                    product_id=ask.product_id,
                    dimension_values=ask.entitlement.dimension_values,
                    contract_id=ask.entitlement.contract_id,
                    price=ask.entitlement.price,
                    quantity=quantity_of(ask.amount),
                    credits=credits,
                    draws=of_line,
                )
                for ask, credits, of_line in zip(asks, verdict.credits, draws, strict=True)
            ),
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
            entitlement=None if hold.lines else _entitlement_of(hold, credit_type_id),
            draws=hold.draws,
            grants=(),
            caps=cap_uses(account, held_by(account, hold), anchor=hold.anchor, at=opened.at),
            in_flight=in_flight_uses(
                account.concurrency_caps,
                account.in_flight or {},
                hold.counted_group_values,
                [part.product_id for part in hold.parts],
            ),
            decide_time=hold.create_time,
            expire_time=hold.expire_time,
            available=available_to(account, hold, opened.at),
            overage=hold.overage,
            lines=tuple(
                ExplainedLine(
                    product_id=line.product_id,
                    dimension_values=line.dimension_values,
                    contract_id=line.contract_id,
                    price=line.price,
                    quantity=line.quantity,
                    credits=line.amount,
                    draws=line.draws,
                )
                for line in hold.lines
            ),
        )


async def _books(
    tx: Transaction, customer: str, product_ids: Sequence[ProductId]
) -> tuple[CustomerRecord, list[PriceBook]]:
    """Return a customer, and what each of the products costs it."""
    record = await tx.standings.customer(customer)
    books, _ = await tx.standings.price_books(
        {(record.customer_id, product_id) for product_id in product_ids}, CatalogCopies()
    )
    for product_id in product_ids:
        if (record.customer_id, product_id) not in books:
            raise ProductNotFound(product_id=product_id)
    return record, [books[record.customer_id, product_id] for product_id in product_ids]


def _shadow_denial(verdict: Verdict) -> ShadowDenial | None:
    return None if verdict.shadow is None else shadow_denial(verdict.shadow, verdict.missing)


def _entitlement_of(hold: Hold, credit_type_id: CreditTypeId) -> Entitlement:
    return Entitlement(
        contract_id=hold.contract_id,
        anchor=hold.anchor,
        credit_type_id=credit_type_id,
        price=hold.price,
        dimension_values=hold.dimension_values,
    )


def _entitlement_at(book: PriceBook, at: datetime, properties: Mapping[str, str]) -> Entitlement | None:
    """Return what entitles to the product; None also if the properties do not suit it: the denial came first."""
    try:
        return book.entitlement_at(at, properties)
    except (PropertyProblem, RateNotFound):
        return None


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
