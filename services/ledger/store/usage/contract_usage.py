# SPDX-License-Identifier: Apache-2.0
"""Adds up the entries of one contract that its invoices do not cover yet, in the pool's own order.

So what is read grows with what is new, not with the pool's history.
"""

from collections.abc import Mapping, Sequence
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
from services.ledger.store.citus import of_one_customer
from services.ledger.store.connection import Connection, at_most_int64
from services.ledger.store.credits.rows import Row
from services.ledger.store.usage.rollups import BILLED

# Of a pool, in one answer: well within the time that a statement may take.
ENTRIES_PER_ANSWER_MAX: Final = 100_000
_GROUP_VALUE: Final = "coalesce(e.group_values ->> $9, '')"
_START: Final = "coalesce(g.period_start, g.effective_time)"
# Per detail: the group value, and the product, source and start of the grants.
_DIVIDED: Final = {
    UsageDetail.GROUP_AND_GRANT: (_GROUP_VALUE, "g.product_id", "g.source_id", _START),
    UsageDetail.PRODUCT_AND_GRANT: ("''", "g.product_id", "g.source_id", _START),
    UsageDetail.PRODUCT_AND_KIND: ("''", "NULL::text", "NULL::text", "NULL::timestamptz"),
}
_IS_USAGE: Final = "e.customer_id = $1 AND e.contract_id = $2 AND e.product_id IS NOT NULL"
# What corrects overage takes back overage; a correction names the entry that it reduces.
_IS_OVERAGE: Final = f"(e.kind IN {BILLED} OR o.kind IN {BILLED})"
_ROWS: Final = f"""
    SELECT e.credit_type_id, e.product_id, coalesce(d.name, '') AS product_name,
        {{group_value}} AS group_value, g.kind AS grant_kind,
        {{grant_product}} AS grant_product_id, {{source}} AS source_id, {{start}} AS grant_start,
        {at_most_int64("sum(e.quantity_micros)")} AS quantity_micros,
        {at_most_int64("-sum(e.amount_micros)")} AS credits_micros,
        {at_most_int64(f"coalesce(sum(e.shortfall_micros) FILTER (WHERE {_IS_OVERAGE}), 0)")} AS overage_micros,
        {at_most_int64(f"coalesce(sum(e.shortfall_micros) FILTER (WHERE ({_IS_OVERAGE}) IS NOT TRUE), 0)")}
            AS shortfall_micros
    FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) AS p (credit_type_id, covered, first, last)
    CROSS JOIN LATERAL (
        SELECT e.* FROM ledger.entries e
        WHERE {_IS_USAGE} AND e.credit_type_id = p.credit_type_id AND e.sequence > p.first AND e.sequence <= p.last
        OFFSET 0  -- so that it is read by sequence, not by time
    ) AS e
    LEFT JOIN ledger.products d ON d.product_id = e.product_id
    LEFT JOIN ledger.grants g ON g.customer_id = e.customer_id AND g.grant_id = e.grant_id
    LEFT JOIN ledger.entries o ON e.grant_id IS NULL AND o.customer_id = e.customer_id
        AND o.credit_type_id = e.credit_type_id AND o.sequence = e.corrects_sequence
    WHERE e.effective_time < $8 AND (e.sequence > p.covered OR e.effective_time >= $7)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 1, 2, 4, 5, 6, 7, 8 LIMIT {{rows_max}}
"""
_FIRST: Final = f"""
    SELECT count(*) AS entries, min(u.sequence) AS first
    FROM (
        SELECT e.sequence FROM ledger.entries e
        WHERE e.customer_id = $1 AND e.credit_type_id = $2 AND e.product_id IS NOT NULL AND e.effective_time >= $3
        LIMIT {ENTRIES_PER_ANSWER_MAX + 1}
    ) AS u
"""


class ContractUsages:
    """Usage by contract, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def spans(self, question: ContractUsageQuestion) -> dict[CreditTypeId, tuple[int, int, int]]:
        """Return per pool after which entry to begin, the last one to read now, and the last one that there is."""
        spans = {}
        for pool, latest in (await self._latest(question.customer_id)).items():
            first = question.after.get(pool, 0)
            spans[pool] = first, max(first, min(latest, first + ENTRIES_PER_ANSWER_MAX)), latest
        return spans

    async def starts(self, question: ContractUsageQuestion) -> dict[CreditTypeId, int]:
        """Return per pool an entry up to which no usage is dated at or after covered_time; 0 if there is much of it."""
        starts = {}
        for pool, latest in (await self._latest(question.customer_id)).items():
            row = await self._connection.fetchrow(_FIRST, question.customer_id, pool, question.covered_time)
            if row["entries"] > ENTRIES_PER_ANSWER_MAX:
                starts[pool] = 0
            else:
                starts[pool] = latest if row["first"] is None else row["first"] - 1
        return starts

    async def _latest(self, customer_id: CustomerId) -> dict[CreditTypeId, int]:
        rows = await self._connection.fetch(
            "SELECT credit_type_id, sequence FROM ledger.pools WHERE customer_id = $1", customer_id
        )
        return {CreditTypeId(row["credit_type_id"]): row["sequence"] for row in rows}

    async def rows(
        self,
        question: ContractUsageQuestion,
        spans: Mapping[CreditTypeId, tuple[int, int, int]],
        end_time: datetime,
        detail: UsageDetail,
    ) -> Sequence[ContractUsageRow]:
        """Return what the entries of these spans say was used before `end_time`; one row more than allowed."""
        group_value, grant_product, source, start = _DIVIDED[detail]
        pools = sorted(spans)
        arguments: list[object] = [
            question.customer_id,
            question.contract_id,
            pools,
            [question.covered.get(pool, 0) for pool in pools],
            [spans[pool][0] for pool in pools],
            [spans[pool][1] for pool in pools],
            question.covered_time,
            end_time,
        ]
        if detail is UsageDetail.GROUP_AND_GRANT:
            arguments.append(question.group_key)
        statement = _ROWS.format(
            group_value=group_value,
            grant_product=grant_product,
            source=source,
            start=start,
            rows_max=question.rows_max + 1,
        )
        rows = await self._connection.fetch(of_one_customer(self._connection, statement), *arguments)
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
