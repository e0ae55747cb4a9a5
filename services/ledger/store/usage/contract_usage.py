# SPDX-License-Identifier: Apache-2.0
"""Adds up the entries of one contract that its invoices do not cover yet.

Entries after the covered position are read by the pool's own order; usage that was already written, but is dated at or
after the covered time, by its time. So what is read grows with what is new, not with the pool's history.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantKind, ProductId
from services.ledger.domain.usage.contract_usage import (
    ContractUsageQuestion,
    ContractUsageRow,
    Payer,
    UsageDetail,
)
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.credits.rows import Row

_GROUP_VALUE: Final = "coalesce(e.group_values ->> $8, '')"
_START: Final = "coalesce(g.period_start, g.effective_time)"
# Per detail: the group value, and the product, source and start of the grants.
_DIVIDED: Final = {
    UsageDetail.GROUP_AND_GRANT: (_GROUP_VALUE, "g.product_id", "g.source_id", _START),
    UsageDetail.PRODUCT_AND_GRANT: ("''", "g.product_id", "g.source_id", _START),
    UsageDetail.PRODUCT_AND_KIND: ("''", "NULL::text", "NULL::text", "NULL::timestamptz"),
}
_IS_USAGE: Final = "e.customer_id = $1 AND e.contract_id = $2 AND e.product_id IS NOT NULL"
# What corrects overage takes back overage; a correction names the entry that it reduces.
_IS_OVERAGE: Final = "(e.kind = 'OVERAGE' OR o.kind = 'OVERAGE')"
_ROWS: Final = f"""
    SELECT e.credit_type_id, e.product_id, coalesce(d.name, '') AS product_name,
        {{group_value}} AS group_value, g.kind AS grant_kind,
        {{grant_product}} AS grant_product_id, {{source}} AS source_id, {{start}} AS grant_start,
        {at_most_int64("sum(e.quantity_micros)")} AS quantity_micros,
        {at_most_int64("-sum(e.amount_micros)")} AS credits_micros,
        {at_most_int64(f"coalesce(sum(e.shortfall_micros) FILTER (WHERE {_IS_OVERAGE}), 0)")} AS overage_micros,
        {at_most_int64(f"coalesce(sum(e.shortfall_micros) FILTER (WHERE ({_IS_OVERAGE}) IS NOT TRUE), 0)")}
            AS shortfall_micros
    FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS p (credit_type_id, covered, latest)
    CROSS JOIN LATERAL (
        SELECT e.* FROM ledger.entries e
        WHERE {_IS_USAGE} AND e.credit_type_id = p.credit_type_id AND e.sequence > p.covered
            AND e.sequence <= p.latest AND e.effective_time < $7
        UNION ALL
        SELECT e.* FROM ledger.entries e
        WHERE {_IS_USAGE} AND e.credit_type_id = p.credit_type_id AND e.sequence <= p.covered
            AND e.effective_time >= $6 AND e.effective_time < $7
    ) AS e
    LEFT JOIN ledger.products d ON d.product_id = e.product_id
    LEFT JOIN ledger.grants g ON g.customer_id = e.customer_id AND g.grant_id = e.grant_id
    LEFT JOIN ledger.entries o ON e.grant_id IS NULL AND o.customer_id = e.customer_id
        AND o.credit_type_id = e.credit_type_id AND o.sequence = e.corrects_sequence
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 1, 2, 4, 5, 6, 7, 8 LIMIT {{rows_max}}
"""


class ContractUsages:
    """Usage by contract, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def positions(self, customer_id: CustomerId) -> dict[CreditTypeId, int]:
        """Return the sequence of the last entry of each pool of a customer."""
        rows = await self._connection.fetch(
            "SELECT credit_type_id, sequence FROM ledger.pools WHERE customer_id = $1", customer_id
        )
        return {CreditTypeId(row["credit_type_id"]): row["sequence"] for row in rows}

    async def rows(
        self,
        question: ContractUsageQuestion,
        positions: dict[CreditTypeId, int],
        end_time: datetime,
        detail: UsageDetail,
    ) -> Sequence[ContractUsageRow]:
        """Return what was used before `end_time` up to `positions` and is not covered; one row more than allowed."""
        group_value, grant_product, source, start = _DIVIDED[detail]
        pools = sorted(positions)
        arguments: list[object] = [
            question.customer_id,
            question.contract_id,
            pools,
            [question.covered.get(pool, 0) for pool in pools],
            [positions[pool] for pool in pools],
            question.covered_time,
            end_time,
        ]
        if detail is UsageDetail.GROUP_AND_GRANT:
            arguments.append(question.group_key)
        rows = await self._connection.fetch(
            _ROWS.format(
                group_value=group_value,
                grant_product=grant_product,
                source=source,
                start=start,
                rows_max=question.rows_max + 1,
            ),
            *arguments,
        )
        return list(map(_from_row, rows))


def _from_row(row: Row) -> ContractUsageRow:
    payer = None
    if row["grant_kind"] is not None:
        payer = Payer(
            kind=GrantKind(row["grant_kind"]),
            product_id=row["grant_product_id"] or "",
            source_id=row["source_id"] or "",
            effective_time=row["grant_start"],
        )
    return ContractUsageRow(
        credit_type_id=CreditTypeId(row["credit_type_id"]),
        product_id=ProductId(row["product_id"]),
        product_name=row["product_name"],
        group_value=row["group_value"],
        payer=payer,
        quantity=Quantity(row["quantity_micros"]),
        credits=Credits(row["credits_micros"]),
        overage=Credits(row["overage_micros"]),
        shortfall=Credits(row["shortfall_micros"]),
    )
