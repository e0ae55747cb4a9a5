# SPDX-License-Identifier: Apache-2.0
"""CreateBillableMetric, GetBillableMetric, ListBillableMetrics, ArchiveBillableMetric."""

from collections.abc import Sequence

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.page import Page
from services.catalog.domain.commands import ArchiveBillableMetric, CreateBillableMetric
from services.catalog.domain.metric import BillableMetric, BillableMetricId
from services.catalog.store import PostgresStore


class Metrics:
    """Creates and archives metrics. The Ledger receives a metric together with the products that it measures."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids

    async def create(self, command: CreateBillableMetric) -> BillableMetric:
        """Create a metric."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, BillableMetric)) is not None:
                return first
            metric = BillableMetric(
                billable_metric_id=BillableMetricId(self._ids.new("met")),
                name=command.name,
                event_type=command.event_type,
                aggregation=command.aggregation,
                aggregated_property=command.aggregated_property,
                filters=command.filters,
                group_keys=command.group_keys,
                create_time=self._clock.now(),
            )
            await tx.metrics.insert(metric)
            await tx.responses.store(command, metric)
        return metric

    async def get(self, billable_metric_id: BillableMetricId) -> BillableMetric:
        """Raises BillableMetricNotFound."""
        async with self._store.transaction() as tx:
            return await tx.metrics.get(billable_metric_id)

    async def archive(self, command: ArchiveBillableMetric) -> BillableMetric:
        """Archive a metric. Repeating it changes nothing. Raises BillableMetricNotFound."""
        async with self._store.transaction() as tx:
            if (first := await tx.responses.claim(command, BillableMetric)) is not None:
                return first
            metric = await tx.metrics.archive(command.billable_metric_id, at=self._clock.now())
            await tx.responses.store(command, metric)
        return metric

    async def list(self, page: Page, *, include_archived: bool) -> Sequence[BillableMetric]:
        async with self._store.transaction() as tx:
            return await tx.metrics.list(page, include_archived=include_archived)
