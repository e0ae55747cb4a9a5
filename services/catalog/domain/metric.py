# SPDX-License-Identifier: Apache-2.0
"""Billable metrics: how usage events become a quantity. A metric never changes; it can only be archived."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from services.catalog.domain.errors import BillableMetricArchived

BillableMetricId = NewType("BillableMetricId", str)

FILTERS_MAX = 20
FILTER_VALUES_MAX = 100
GROUP_KEYS_MAX = 5


class Aggregation(Enum):
    """How the events of a period become one quantity."""

    COUNT = "COUNT"
    SUM = "SUM"
    MAX = "MAX"
    UNIQUE = "UNIQUE"


class FilterKind(Enum):
    """The condition of a filter. NOT_IN also requires that the property exists."""

    EXISTS = "EXISTS"
    IN = "IN"
    NOT_IN = "NOT_IN"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropertyFilter:
    """A condition on one property of an event; `values` is empty for EXISTS only."""

    property: str
    kind: FilterKind
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BillableMetric:
    """The quantity of the events of one type that pass all filters. aggregated_property: None for COUNT only."""

    billable_metric_id: BillableMetricId
    name: str
    event_type: str
    aggregation: Aggregation
    aggregated_property: str | None
    filters: tuple[PropertyFilter, ...]
    group_keys: tuple[str, ...]
    create_time: datetime
    archive_time: datetime | None = None


def check_in_use(metric: BillableMetric) -> None:
    """Raise BillableMetricArchived unless new products may use the metric."""
    if metric.archive_time is not None:
        raise BillableMetricArchived(billable_metric_id=metric.billable_metric_id)
