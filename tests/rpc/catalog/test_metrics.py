# SPDX-License-Identifier: Apache-2.0
"""CreateBillableMetric, GetBillableMetric, ListBillableMetrics, ArchiveBillableMetric."""

from collections.abc import Sequence

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import JULY, JUNE, CatalogStub, Shop, running_catalog
from tests.support.faults import bad_fields, fault
from tests.support.postgres import Databases

FILTERS = [
    pb.PropertyFilter(property="model", exists=True),
    pb.PropertyFilter(property="tier", in_values=["pro", "max"]),
    pb.PropertyFilter(property="region", not_in_values=["test"]),
]


def _request(
    *,
    name: str = "units",
    event_type: str = "ai.call",
    aggregation: pb.Aggregation = pb.AGGREGATION_SUM,
    sum_property: str = "units",
    aggregated_property: str = "",
    filters: Sequence[pb.PropertyFilter] = (),
    group_keys: Sequence[str] = (),
) -> pb.CreateBillableMetricRequest:
    return pb.CreateBillableMetricRequest(
        request_id="r1",
        name=name,
        event_type=event_type,
        aggregation=aggregation,
        sum_property=sum_property,
        aggregated_property=aggregated_property,
        filters=filters,
        group_keys=group_keys,
    )


async def test_a_metric_is_made_and_read_as_it_was_asked_for(catalog: CatalogStub) -> None:
    response = await catalog.CreateBillableMetric(_request(filters=FILTERS, group_keys=["user_id", "team"]))

    made = response.billable_metric
    read = await catalog.GetBillableMetric(
        pb.GetBillableMetricRequest(billable_metric_id=made.billable_metric_id)
    )
    assert made.billable_metric_id.startswith("met_")
    assert made == pb.BillableMetric(
        billable_metric_id=made.billable_metric_id,
        name="units",
        event_type="ai.call",
        aggregation=pb.AGGREGATION_SUM,
        sum_property="units",
        filters=FILTERS,
        group_keys=["user_id", "team"],
        create_time=timestamp(JUNE),
        aggregated_property="units",
    )
    assert read.billable_metric == made


async def test_a_counting_metric_has_no_property(catalog: CatalogStub) -> None:
    request = _request(aggregation=pb.AGGREGATION_COUNT, sum_property="")

    made = (await catalog.CreateBillableMetric(request)).billable_metric

    assert (made.sum_property, made.aggregated_property) == ("", "")


@pytest.mark.parametrize("aggregation", [pb.AGGREGATION_SUM, pb.AGGREGATION_MAX, pb.AGGREGATION_UNIQUE])
async def test_every_other_aggregation_has_one(catalog: CatalogStub, aggregation: pb.Aggregation) -> None:
    request = _request(aggregation=aggregation, sum_property="", aggregated_property="seats")

    made = (await catalog.CreateBillableMetric(request)).billable_metric
    read = await catalog.GetBillableMetric(
        pb.GetBillableMetricRequest(billable_metric_id=made.billable_metric_id)
    )

    assert (made.aggregation, made.aggregated_property) == (aggregation, "seats")
    assert made.sum_property == ("seats" if aggregation == pb.AGGREGATION_SUM else "")
    assert read.billable_metric == made


async def test_the_older_name_of_a_sums_property_may_be_set_to_the_same(catalog: CatalogStub) -> None:
    request = _request(sum_property="units", aggregated_property="units")

    assert (await catalog.CreateBillableMetric(request)).billable_metric.aggregated_property == "units"


async def test_an_archived_metric_is_listed_only_when_asked_for_and_stays_as_it_was(
    databases: Databases,
) -> None:
    async with running_catalog(databases) as running:
        catalog, shop = running.stub, Shop(running.stub)
        kept, metric = await shop.metric(), await shop.metric()
        running.clock.advance_to(JULY)
        archive = pb.ArchiveBillableMetricRequest(
            request_id="a1", billable_metric_id=metric.billable_metric_id
        )
        archived = (await catalog.ArchiveBillableMetric(archive)).billable_metric
        archive.request_id = "a2"
        again = (await catalog.ArchiveBillableMetric(archive)).billable_metric

        in_use = await catalog.ListBillableMetrics(pb.ListBillableMetricsRequest())
        all_of_them = await catalog.ListBillableMetrics(pb.ListBillableMetricsRequest(include_archived=True))

    assert archived.archive_time == timestamp(JULY)
    assert again == archived
    assert list(in_use.billable_metrics) == [kept]
    assert list(all_of_them.billable_metrics) == [kept, archived]


async def test_an_unknown_metric_is_not_found(catalog: CatalogStub) -> None:
    with fault(StatusCode.NOT_FOUND, "BILLABLE_METRIC_NOT_FOUND", billable_metric_id="met_x"):
        await catalog.GetBillableMetric(pb.GetBillableMetricRequest(billable_metric_id="met_x"))
    with fault(StatusCode.NOT_FOUND, "BILLABLE_METRIC_NOT_FOUND", billable_metric_id="met_x"):
        await catalog.ArchiveBillableMetric(
            pb.ArchiveBillableMetricRequest(request_id="r1", billable_metric_id="met_x")
        )


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (_request(sum_property=""), ["aggregated_property"]),
        (_request(sum_property="units", aggregated_property="other"), ["sum_property"]),
        (_request(aggregation=pb.AGGREGATION_COUNT), ["sum_property"]),
        (_request(aggregation=pb.AGGREGATION_COUNT, sum_property="", aggregated_property="x"), ["aggregated_property"]),
        (_request(aggregation=pb.AGGREGATION_MAX, aggregated_property="units"), ["sum_property"]),
        (_request(aggregation=pb.AGGREGATION_UNIQUE, sum_property=""), ["aggregated_property"]),
        (_request(aggregation=pb.AGGREGATION_UNSPECIFIED), ["aggregation"]),
        (_request(filters=[pb.PropertyFilter(property="p")]), ["filters[0]"]),
        (_request(filters=[pb.PropertyFilter(exists=True)]), ["filters[0].property"]),
        (_request(filters=[FILTERS[0], pb.PropertyFilter(property="p", exists=True, in_values=["x"])]), ["filters[1]"]),
        (_request(filters=[pb.PropertyFilter(property="p", in_values=["x"], not_in_values=["y"])]), ["filters[0]"]),
        (_request(filters=[pb.PropertyFilter(property="p", in_values=["x", ""])]), ["filters[0].in_values[1]"]),
        (_request(filters=[pb.PropertyFilter(property="p", not_in_values=["x"] * 101)]), ["filters[0].not_in_values"]),
        (_request(filters=FILTERS[:1] * 21), ["filters"]),
        (_request(group_keys=["a", "b", "c", "d", "e", "f"]), ["group_keys"]),
        (_request(group_keys=["a", "b", "a"]), ["group_keys[2]"]),
        (_request(group_keys=["a", ""]), ["group_keys[1]"]),
        (
            pb.CreateBillableMetricRequest(aggregation=pb.AGGREGATION_SUM, group_keys=[""]),
            ["request_id", "name", "event_type", "aggregated_property", "group_keys[0]"],
        ),
    ],
)  # fmt: skip
async def test_all_bad_fields_are_named_at_once(
    catalog: CatalogStub, request_: pb.CreateBillableMetricRequest, fields: list[str]
) -> None:
    with bad_fields(*fields):
        await catalog.CreateBillableMetric(request_)


async def test_twenty_filters_of_a_hundred_values_and_five_keys_are_the_most(catalog: CatalogStub) -> None:
    filters = [pb.PropertyFilter(property="p", in_values=["x"] * 100)] * 20

    response = await catalog.CreateBillableMetric(
        _request(filters=filters, group_keys=["a", "b", "c", "d", "e"])
    )

    assert list(response.billable_metric.filters) == filters


async def test_ids_are_required(catalog: CatalogStub) -> None:
    with bad_fields("billable_metric_id"):
        await catalog.GetBillableMetric(pb.GetBillableMetricRequest())
    with bad_fields("request_id", "billable_metric_id"):
        await catalog.ArchiveBillableMetric(pb.ArchiveBillableMetricRequest())
