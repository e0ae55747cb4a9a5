# SPDX-License-Identifier: Apache-2.0
"""Shadow modes set by operators, and the report of what would have been denied."""

from collections.abc import Collection, Iterable
from datetime import date

from meshkit.page import Page
from meshkit.quantity import INT64_MAX, Credits
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.gate.decision import DenialReason
from services.ledger.domain.gate.shadow import ShadowDenials, ShadowMode, ShadowRecord
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import Row

_KEY = "customer_id, day, credit_type_id, reason, cap_id, product_id, group_key, group_value"


class Shadows:
    """Shadow modes and their report, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, mode: ShadowMode) -> None:
        """Switch shadow mode on or off. The customer must be locked."""
        await self._connection.execute(
            "INSERT INTO ledger.shadow_modes (customer_id, product_id, is_on, update_time) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (customer_id, product_id) DO UPDATE SET is_on = $3, update_time = $4",
            mode.customer_id,
            mode.product_id,
            mode.is_on,
            mode.update_time,
        )

    async def modes(self, customer_id: CustomerId) -> list[ShadowMode]:
        """Return what is set of a customer, by product; the customer as a whole comes first."""
        rows = await self._connection.fetch(
            "SELECT product_id, is_on, update_time FROM ledger.shadow_modes WHERE customer_id = $1 ORDER BY product_id",
            customer_id,
        )
        return [
            ShadowMode(
                customer_id=customer_id,
                product_id=ProductId(row["product_id"]),
                is_on=row["is_on"],
                update_time=row["update_time"],
            )
            for row in rows
        ]

    async def denials(
        self, customer_ids: Collection[str] | None, first: date, last: date, page: Page
    ) -> list[ShadowDenials]:
        """Return a page of the report, and one line more if there is one. first, last: UTC days, both included.

        Ordered by customer, day, credit type, reason, cap, product and group value. customer_ids: None for all.
        """
        rows = await self._connection.fetch(
            f"SELECT {_KEY}, denials, credits_micros, first_time, last_time FROM ledger.shadow_denials"
            " WHERE ($1::text[] IS NULL OR customer_id = ANY ($1)) AND day BETWEEN $2 AND $3"
            f" AND ($4::text[] IS NULL OR ({_KEY}) >"
            " ($4[1], $4[2]::date, $4[3], $4[4], $4[5], $4[6], $4[7], $4[8]))"
            f" ORDER BY {_KEY} LIMIT $5",
            None if customer_ids is None else sorted(customer_ids),
            first,
            last,
            list(page.after) if page.after else None,
            page.size + 1,
        )
        return list(map(_denials_from_row, rows))


def shadow_rows(records: Iterable[ShadowRecord]) -> list[tuple[object, ...]]:
    """Return what is added to the report: a row per line, without the pool's key."""
    lines: dict[tuple[object, ...], list[ShadowRecord]] = {}
    for one in records:
        day = one.time.date()
        key = (day, one.reason.value, one.cap_id, one.product_id, *one.subject)
        lines.setdefault(key, []).append(one)
    return [
        (
            *key,
            len(of_line),
            min(INT64_MAX, sum(one.credits.micros for one in of_line)),
            min(one.time for one in of_line),
            max(one.time for one in of_line),
        )
        for key, of_line in lines.items()
    ]


def _denials_from_row(row: Row) -> ShadowDenials:
    return ShadowDenials(
        customer_id=CustomerId(row["customer_id"]),
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        day=row["day"],
        reason=DenialReason(row["reason"]),
        cap_id=row["cap_id"],
        product_id=ProductId(row["product_id"]),
        subject=(row["group_key"], row["group_value"]),
        denials=row["denials"],
        credits=Credits(row["credits_micros"]),
        first_time=row["first_time"],
        last_time=row["last_time"],
    )
