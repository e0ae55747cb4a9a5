# SPDX-License-Identifier: Apache-2.0
"""Seats priced by tiers of the Catalog's rate card."""

import pytest

from purser.catalog.v1 import catalog_pb2
from purser.contract.v1 import contract_pb2 as pb
from tests.support.catalog import Shop
from tests.support.contract import Desk, RunningContract, day, dollars, tiered_seats

GRADUATED, VOLUME = catalog_pb2.RATE_TYPE_GRADUATED, catalog_pb2.RATE_TYPE_VOLUME


@pytest.mark.parametrize(
    ("rate_type", "totals"),
    [
        # 9 at $10; half a month of 1 at $10 and 2 at $8; then 12.
        (GRADUATED, ["90.00", "13.00", "116.00"]),
        # 9 at $10; half a month of 12 at $8 instead of 9 at $10; then 12 at $8.
        (VOLUME, ["90.00", "3.00", "96.00"]),
    ],
)
async def test_seats_cost_what_their_tiers_say(
    desk: Desk,
    shop: Shop,
    running: RunningContract,
    rate_type: catalog_pb2.RateType,
    totals: list[str],
) -> None:
    signed = await desk.sign(await tiered_seats(desk, shop, 9, rate_type))
    await running.advance_to(day(6, 16))
    preview = await desk.contract.PreviewSeatChange(
        pb.PreviewSeatChangeRequest(contract_id=signed.contract.contract_id, quantity_delta=3)
    )

    added = await desk.add_seats(signed, 3)
    await running.advance_to(day(7, 1))

    invoices = await desk.invoices(signed)
    assert [dollars(one.total) for one in invoices] == totals
    assert preview.total == added.invoice.total
    assert "12" in invoices[2].lines[0].description
    assert dollars(signed.contract.subscriptions[0].unit_price) == "10.00"
    assert dollars(added.subscription.unit_price) == "8.00"


async def test_a_volume_price_that_falls_refunds_nothing(
    desk: Desk, shop: Shop, running: RunningContract
) -> None:
    signed = await desk.sign(await tiered_seats(desk, shop, 10, VOLUME))
    await running.advance_to(day(6, 16))

    cheaper, dearer = await desk.add_seats(signed, 1), await desk.add_seats(signed, 2)

    assert not cheaper.HasField("invoice")
    assert dollars(dearer.invoice.total) == "2.00"
    assert [line.description for line in dearer.invoice.lines] == [
        "Team Plan: 1 seat added (all 11 at 8 USD), 1/2 of the period",
        "Team Plan: 2 seats added (all 13 at 8 USD), 1/2 of the period",
    ]
