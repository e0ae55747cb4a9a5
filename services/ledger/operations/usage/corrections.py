# SPDX-License-Identifier: Apache-2.0
"""VoidUsage and AmendUsage: each in one transaction, under the locks of the pools that the usage was charged to."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from meshkit.clock import Clock
from meshkit.errors import FieldViolation, InvalidFields
from meshkit.ids import Ids
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import AccountsMoved, PoolKey
from services.ledger.domain.gate.standing import CatalogCopies
from services.ledger.domain.rating.metric import matches
from services.ledger.domain.usage.amendments import replaces
from services.ledger.domain.usage.commands import (
    AmendUsage,
    CorrectedUsage,
    PieceName,
    RecordedUsage,
    VoidUsage,
)
from services.ledger.domain.usage.event import EventLine, EventResult, EventStatus, RecordEvent, untimely
from services.ledger.domain.usage.intake import Measured, measured
from services.ledger.domain.usage.pieces import Piece
from services.ledger.operations.credits.settlement import open_account
from services.ledger.operations.ports import Relay
from services.ledger.operations.usage.correcting import NO_GRANTS, PieceCorrector, not_recordable
from services.ledger.store import PostgresStore, Transaction

Pieces = list[tuple[PoolKey, Piece]]
Corrector = Callable[[PoolKey], PieceCorrector]


class Corrections:
    """Corrects recorded usage."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def void(self, command: VoidUsage) -> CorrectedUsage:
        """Take usage back.

        Raises CustomerNotFound, HoldNotFound, UsageNotFound, UsageAlreadyVoided, RerateInProgress, RequestIdReused.
        """

        async def correct(
            tx: Transaction, customer_id: CustomerId, recorded: RecordedUsage, pieces: Pieces, at: datetime
        ) -> list[EventLine]:
            corrector = self._corrector(tx, command, recorded, at)
            lines = [await corrector(key).take_back(piece) for key, piece in pieces]
            await tx.corrections.insert(customer_id, command, number=recorded.corrections + 1, at=at)
            return lines

        return await self._run(command, correct)

    async def amend(self, command: AmendUsage) -> CorrectedUsage:
        """Make an event report something else.

        Raises CustomerNotFound, UsageNotFound, UsageAlreadyVoided, RerateInProgress, InvalidFields, RequestIdReused.
        """

        async def correct(
            tx: Transaction, customer_id: CustomerId, recorded: RecordedUsage, pieces: Pieces, at: datetime
        ) -> list[EventLine]:
            event = _amended(recorded, command, at=at)
            new = await _measured(tx, customer_id, event)
            corrector = self._corrector(tx, command, recorded, at)
            lines: list[EventLine] = []
            names: list[PieceName] = []
            for key, piece in pieces:
                line = next((one for one in new if _is_in(one, key) and replaces(event, one, piece)), None)
                if line is None:
                    lines.append(await corrector(key).take_back(piece))
                else:
                    new.remove(line)
                    lines.append(await corrector(key).replace(piece, line))
                    names.append((key[1], piece.first.sequence))
            for line in new:
                charged, name = await corrector((customer_id, line.entitlement.credit_type_id)).charge(
                    event, line
                )
                lines.append(charged)
                names.append(name)
            await tx.corrections.insert(
                customer_id,
                command,
                number=recorded.corrections + 1,
                at=at,
                event=event,
                pieces=names,
            )
            return lines

        return await self._run(command, correct)

    async def _run(
        self,
        command: VoidUsage | AmendUsage,
        correct: Callable[
            [Transaction, CustomerId, RecordedUsage, Pieces, datetime], Awaitable[list[EventLine]]
        ],
    ) -> CorrectedUsage:
        """Lock the pools of the usage, correct it, and store the response."""
        at = self._clock.now()

        async def work(tx: Transaction) -> CorrectedUsage:
            customer_id = await tx.standings.customer_id(command.customer)
            pools = [(customer_id, one) for one in await tx.corrections.pools_of(customer_id, command.usage)]
            for key in pools:
                await open_account(tx, *key, at=at, ids=self._ids, only_grants=NO_GRANTS)
            # Under the locks: a twin may have held them before.
            if (first := await tx.responses.find(customer_id, command, CorrectedUsage)) is not None:
                return first
            recorded = await tx.corrections.find(customer_id, command.usage)
            if not pools and await tx.corrections.pools_of(customer_id, command.usage):
                raise AccountsMoved  # a rerating has charged it meanwhile
            pieces = [
                (key, piece)
                for key in pools
                for piece in await tx.corrections.pieces_of(key, command.usage, recorded)
            ]
            for key, piece in pieces:
                if piece.usage.meter_key is not None:
                    await tx.rerate_meters.require_rated(key, piece.usage.meter_key)
            lines = await correct(tx, customer_id, recorded, pieces, at)
            response = CorrectedUsage(lines=tuple(sorted(lines, key=lambda line: line.product_id)))
            await tx.responses.store(customer_id, command, response, at=at)
            return response

        response = await self._store.run(work, turn_of=command.customer)
        self._relay.wake()
        return response

    def _corrector(
        self, tx: Transaction, command: VoidUsage | AmendUsage, recorded: RecordedUsage, at: datetime
    ) -> Corrector:
        return lambda key: PieceCorrector(
            tx=tx, key=key, cause_id=command.request_id, event=recorded.event, at=at, ids=self._ids
        )


def _amended(recorded: RecordedUsage, command: AmendUsage, *, at: datetime) -> RecordEvent:
    """Return the event as it is from now on. Raises InvalidFields if it moves to a time that is not accepted."""
    assert recorded.event is not None
    event = replace(
        recorded.event,
        timestamp=command.timestamp or recorded.event.timestamp,
        properties=command.properties,
    )
    if event.timestamp != recorded.event.timestamp:
        late = untimely(event, at=at)
        if late is not None:
            raise InvalidFields([FieldViolation("timestamp", late.detail)])
    return event


async def _measured(tx: Transaction, customer_id: CustomerId, event: RecordEvent) -> list[Measured]:
    """Return what an event reports, by product; nothing if no metric matches or no contract is in force."""
    copies = await tx.standings.event_products({event.event_type}, CatalogCopies())
    asked = {(customer_id, product_id) for product_id in copies.by_event_type[event.event_type]}
    books, _ = await tx.standings.price_books(asked, copies)
    found = measured(
        event,
        [book for book in books.values() if matches(book.product.metric, event.event_type, event.properties)],
    )
    if not isinstance(found, EventResult):
        return list(found)
    if found.status is EventStatus.REJECTED:
        raise not_recordable(found)
    return []


def _is_in(line: Measured, key: PoolKey) -> bool:
    return line.entitlement.credit_type_id == key[1]
