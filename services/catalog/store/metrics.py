# SPDX-License-Identifier: Apache-2.0
"""Statements about billable metrics."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from meshkit.page import Page
from services.catalog.domain.errors import BillableMetricNotFound
from services.catalog.domain.metric import (
    Aggregation,
    BillableMetric,
    BillableMetricId,
    FilterKind,
    PropertyFilter,
)
from services.catalog.store.rows import AnyRow, one_page
from services.catalog.tables import billable_metrics as metrics

_COLUMNS = (
    metrics.c.billable_metric_id,
    metrics.c.name,
    metrics.c.event_type,
    metrics.c.aggregation,
    metrics.c.sum_property,
    metrics.c.filters,
    metrics.c.group_keys,
    metrics.c.create_time,
    metrics.c.archive_time,
    metrics.c.aggregated_property,
)


class StoredMetrics:
    """A metric changes at most once, when it is archived."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, metric: BillableMetric) -> None:
        is_sum = metric.aggregation is Aggregation.SUM
        await self._connection.execute(
            insert(metrics).values(
                billable_metric_id=metric.billable_metric_id,
                name=metric.name,
                event_type=metric.event_type,
                aggregation=metric.aggregation.value,
                # The revision before knows sum_property only, and may still serve.
                sum_property=metric.aggregated_property if is_sum else None,
                aggregated_property=None if is_sum else metric.aggregated_property,
                filters=[
                    {"property": one.property, "kind": one.kind.value, "values": one.values}
                    for one in metric.filters
                ],
                group_keys=list(metric.group_keys),
                create_time=metric.create_time,
                archive_time=metric.archive_time,
            )
        )

    async def get(self, billable_metric_id: BillableMetricId, *, shared: bool = False) -> BillableMetric:
        """Raises BillableMetricNotFound. shared: lock it, so that it is not archived before the transaction ends."""
        found = select(*_COLUMNS).where(metrics.c.billable_metric_id == billable_metric_id)
        row = (await self._connection.execute(found.with_for_update(read=True) if shared else found)).first()
        if row is None:
            raise BillableMetricNotFound(billable_metric_id=billable_metric_id)
        return _from_row(row)

    async def archive(self, billable_metric_id: BillableMetricId, *, at: datetime) -> BillableMetric:
        """Archive a metric, unless it is archived already. Raises BillableMetricNotFound."""
        archived = (
            update(metrics)
            .where(metrics.c.billable_metric_id == billable_metric_id, metrics.c.archive_time.is_(None))
            .values(archive_time=at)
            .returning(*_COLUMNS)
        )
        row = (await self._connection.execute(archived)).first()
        return await self.get(billable_metric_id) if row is None else _from_row(row)

    async def list(self, page: Page, *, include_archived: bool) -> Sequence[BillableMetric]:
        """Return a page in order of creation, and one row more if there is one."""
        wanted = select(*_COLUMNS)
        if not include_archived:
            wanted = wanted.where(metrics.c.archive_time.is_(None))
        rows = await self._connection.execute(one_page(wanted, metrics.c.billable_metric_id, page))
        return [_from_row(row) for row in rows]


def _from_row(row: AnyRow) -> BillableMetric:
    return BillableMetric(
        billable_metric_id=BillableMetricId(row.billable_metric_id),
        name=row.name,
        event_type=row.event_type,
        aggregation=Aggregation(row.aggregation),
        aggregated_property=row.sum_property or row.aggregated_property,
        filters=tuple(
            PropertyFilter(
                property=one["property"], kind=FilterKind(one["kind"]), values=tuple(one["values"])
            )
            for one in row.filters
        ),
        group_keys=tuple(row.group_keys),
        create_time=row.create_time,
        archive_time=row.archive_time,
    )
