# SPDX-License-Identifier: Apache-2.0
"""Reads usage that is added up by hour and usage period. Nothing here reads an entry."""

from datetime import datetime
from typing import Final

from meshkit.page import Page
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.usage.reads import Spender, UsageQuestion, UsageSum, UsageWindow, window_at
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.gate.standings import USAGE_ANCHOR

_STARTS: Final = {
    UsageWindow.SPAN: "$1::timestamptz",
    UsageWindow.HOUR: "r.start_time",
    UsageWindow.DAY: "date_trunc('day', r.start_time, 'UTC')",
    UsageWindow.MONTH: "date_trunc('month', r.start_time, 'UTC')",
    UsageWindow.USAGE_PERIOD: "r.start_time",
}
_TOTALS: Final = ", ".join(
    f"{at_most_int64(f'sum(r.{column})')} AS {column}"
    for column in ("quantity_micros", "credits_micros", "shortfall_micros", "uses")
)
# Customer by customer, and within one by group value, both in the order of an index: so a page reads little more than
# what it shows. The limit is in the text, not a parameter: a generic plan would estimate it as a tenth of the table.
_SUMS: Final = """
    SELECT c.customer_id, c.anchor, s.*
    FROM (
        SELECT u.customer_id, {anchor} AS anchor FROM ledger.customers u WHERE {customers}
        ORDER BY u.customer_id
    ) AS c
    CROSS JOIN LATERAL (
        SELECT r.group_value, {start} AS start, r.product_id, r.credit_type_id, {dimension} AS dimension_value, {totals}
        FROM ledger.{table} r
        WHERE r.customer_id = c.customer_id AND r.start_time >= $1 AND r.start_time < $2 AND r.group_key = $3 {filters}
        GROUP BY 1, 2, 3, 4, 5
        ORDER BY 1, 2, 3, 4, 5 LIMIT {rows_max}
    ) AS s
    ORDER BY 1, 3, 4, 5, 6, 7 LIMIT {rows_max}
"""
_TOP: Final = """
    SELECT r.group_value, {totals}
    FROM ledger.usage_by_period r
    WHERE r.customer_id = $1 AND r.group_key = $2 AND r.start_time = $3 AND r.credit_type_id = $4 {filters}
    GROUP BY r.group_value ORDER BY sum(r.credits_micros) DESC, r.group_value LIMIT {rows_max}
"""


class UsageTotals:
    """Sums of usage, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def sums(
        self, question: UsageQuestion, customer_id: CustomerId | None, page: Page
    ) -> list[UsageSum]:
        """Return a page of one customer, or of all (None), and one row more if there is one."""
        is_by_period = question.window is UsageWindow.USAGE_PERIOD
        arguments: list[object] = [question.span.start, question.span.end, question.group_key]
        filters = ""
        start = _STARTS[question.window]
        dimension = "''"
        if question.dimension_key:
            arguments.append(question.dimension_key)
            dimension = f"coalesce(r.dimension_values ->> ${len(arguments)}, '')"
        for column, value in (("product_id", question.product_id), ("group_value", question.group_value)):
            if value is not None:
                arguments.append(value)
                filters += f" AND r.{column} = ${len(arguments)}"
        customers = "true"
        if customer_id is not None:
            arguments.append(customer_id)
            customers = f"u.customer_id = ${len(arguments)}"
        if page.after is not None:
            first = len(arguments) + 1
            after_customer, after_value, after_start, *more = page.after
            arguments += [after_customer, after_value, datetime.fromisoformat(after_start), *more]
            customers += f" AND u.customer_id >= ${first}"
            filters += (
                f" AND (c.customer_id > ${first} OR r.group_value >= ${first + 1})"
                f" AND (c.customer_id, r.group_value, {start}, r.product_id, r.credit_type_id, {dimension})"
                f" > (${first}, ${first + 1}, ${first + 2}::timestamptz, ${first + 3}, ${first + 4}, ${first + 5})"
            )
        rows = await self._connection.fetch(
            _SUMS.format(
                anchor=USAGE_ANCHOR,
                customers=customers,
                start=start,
                dimension=dimension,
                totals=_TOTALS,
                table="usage_by_period" if is_by_period else "usage_by_hour",
                filters=filters,
                rows_max=page.size + 1,
            ),
            *arguments,
        )
        return [
            UsageSum(
                customer_id=row["customer_id"],
                group_value=row["group_value"],
                start=row["start"],
                window=window_at(row["start"], question.window, span=question.span, anchor=row["anchor"]),
                product_id=row["product_id"],
                credit_type_id=row["credit_type_id"],
                dimension_value=row["dimension_value"],
                quantity=Quantity(row["quantity_micros"]),
                credits=Credits(row["credits_micros"]),
                shortfall=Credits(row["shortfall_micros"]),
                uses=row["uses"],
            )
            for row in rows
        ]

    async def top_spenders(
        self,
        customer_id: CustomerId,
        credit_type_id: CreditTypeId,
        group_key: str,
        period_start: datetime,
        product_id: ProductId | None,
        *,
        spenders_max: int,
    ) -> list[Spender]:
        """Return the group values that spent most in a usage period, the largest first."""
        arguments: list[object] = [customer_id, group_key, period_start, credit_type_id]
        filters = ""
        if product_id is not None:
            arguments.append(product_id)
            filters = "AND r.product_id = $5"
        rows = await self._connection.fetch(
            _TOP.format(totals=_TOTALS, filters=filters, rows_max=int(spenders_max)), *arguments
        )
        return [
            Spender(
                group_value=row["group_value"],
                credits=Credits(row["credits_micros"]),
                shortfall=Credits(row["shortfall_micros"]),
                uses=row["uses"],
            )
            for row in rows
        ]

    async def anchor(self, customer_id: CustomerId) -> datetime | None:
        """Return the start of a customer's usage periods; None before its first contract."""
        found: datetime | None = await self._connection.fetchval(
            f"SELECT {USAGE_ANCHOR} FROM ledger.customers u WHERE u.customer_id = $1", customer_id
        )
        return found
