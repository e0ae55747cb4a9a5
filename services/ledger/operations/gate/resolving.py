# SPDX-License-Identifier: Apache-2.0
"""From a command to the account it is about, and from both to an answer: the same for a guess and for the truth."""

from dataclasses import dataclass
from datetime import datetime

from meshkit.errors import RequestIdReused
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import StoredResponse
from services.ledger.domain.errors import CustomerNotFound, ProductNotFound
from services.ledger.domain.gate import gate
from services.ledger.domain.gate.commands import Authorize, Capture, Debit, ExtendHold, GateCommand, Release
from services.ledger.domain.gate.decision import (
    Ask,
    Authorized,
    Captured,
    Debited,
    DenialReason,
    Extended,
    Released,
)
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.standing import Standing, ask_of, entitlement_at
from services.ledger.domain.responses import GateResponse
from services.ledger.operations.gate.memory import Known
from services.ledger.operations.ports import Transaction

Answer = GateResponse

ANSWER_TYPES: dict[type[GateCommand], type[Answer]] = {
    Authorize: Authorized,
    Capture: Captured,
    Release: Released,
    ExtendHold: Extended,
    Debit: Debited,
}


@dataclass(frozen=True, slots=True)
class Barred:
    """A command that is denied before any account is looked at."""

    answer: Answer


def ask_for(
    command: Authorize | Debit, known: Known, group_keys: frozenset[str], *, at: datetime
) -> Ask | Barred:
    """Return what is asked of the account, or the denial that comes before it."""
    standing = _standing(known, command.product_id, group_keys, at)
    ask = ask_of(standing, command.amount, command.group_values)
    if isinstance(ask, DenialReason):
        return Barred(Authorized(reason=ask) if isinstance(command, Authorize) else Debited(reason=ask))
    return ask


def extension_for(
    command: ExtendHold, known: Known, group_keys: frozenset[str], account: Account, *, at: datetime
) -> Ask | DenialReason | None:
    """Return what an extension asks on top (None: only time), or why it is denied."""
    if command.additional is None:
        return None
    hold = account.holds[command.hold_id]
    standing = _standing(known, hold.product_id, group_keys, at)
    ask = ask_of(standing, command.additional, hold.group_values)
    return ask if isinstance(ask, DenialReason) else gate.at_price_of(ask, hold)


def decide(
    account: Account,
    command: GateCommand,
    ask: Ask | DenialReason | None,
    *,
    at: datetime,
    ids: Ids,
) -> tuple[Account, Answer]:
    """Return the account after a command, and its answer. The account is up to date and has what is needed.

    ask: of Authorize and Debit, and of an extension. Raises what the rules raise; the account is then as it was.
    """
    match command:
        case Authorize():
            assert isinstance(ask, Ask)
            return gate.authorize(
                account,
                ask,
                hold_id=HoldId(ids.new("hld")),
                expire_time=at + command.hold_ttl,
                allows_part=command.allow_partial,
                at=at,
            )
        case Debit():
            assert isinstance(ask, Ask)
            return gate.debit(account, ask, cause_id=command.request_id, at=at)
        case Capture():
            hold = account.holds[command.hold_id]
            return gate.capture(account, hold, command.actual, cause_id=command.request_id, at=at)
        case Release():
            return gate.release(account, account.holds[command.hold_id], at=at)
        case ExtendHold():
            hold = account.holds[command.hold_id]
            if isinstance(ask, DenialReason):
                return account, gate.extension_denied(account, hold, ask, at=at)
            expire_time = None if command.hold_ttl is None else at + command.hold_ttl
            return gate.extend(account, hold, ask, expire_time=expire_time, at=at)


def denial_of(answer: Answer) -> DenialReason | None:
    """Return why an answer is a denial; None when it has an effect."""
    return answer.reason if isinstance(answer, (Authorized, Extended, Debited)) else None


def _standing(known: Known, product_id: ProductId, group_keys: frozenset[str], at: datetime) -> Standing:
    return Standing(
        customer_id=known.record.customer_id,
        is_suspended=known.record.is_suspended,
        product_id=product_id,
        group_keys=group_keys,
        entitlement=entitlement_at(known.prices.get(product_id, ()), at),
    )


def repeated(stored: StoredResponse, command: GateCommand) -> Answer:
    """Return the response that was stored for this request. Raises RequestIdReused when its body was another."""
    if stored.fingerprint != command.fingerprint:
        raise RequestIdReused(request_id=command.request_id)
    answer: Answer = stored.decode(ANSWER_TYPES[type(command)])
    return answer


async def standing_of(tx: Transaction, customer: str, product_id: ProductId, *, at: datetime) -> Standing:
    """Return how a customer (id or alias) stands towards a product. Raises CustomerNotFound, ProductNotFound."""
    customers = await tx.standings.customers({customer})
    if customer not in customers:
        raise CustomerNotFound(customer=customer)
    group_keys = await tx.standings.group_keys({product_id})
    if product_id not in group_keys:
        raise ProductNotFound(product_id=product_id)
    record = customers[customer]
    prices = await tx.standings.prices({(record.customer_id, product_id)})
    known = Known(record, prices={product_id: prices[record.customer_id, product_id]})
    return _standing(known, product_id, group_keys[product_id], at)
