# SPDX-License-Identifier: Apache-2.0
"""The column of a hold's lines: what is written is read, also after the previous version has added to the draws."""

from dataclasses import replace

from meshkit.quantity import Credits, Ratio
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.credits.grant import GrantId, ProductId
from services.ledger.domain.gate.hold import HeldLine
from services.ledger.domain.rating.price import Conversion, PackagePrice, Price, Pricing, Rounding
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from services.ledger.store.gate.hold_lines import lines_from_column, lines_to_column
from tests.unit.ledger.builders import ASSISTANT, IMAGES, JULY, JUNE, SEARCH, a_price, units, when

NOON = when("06-15 12:00")
FALLING = GraduatedPrice((Tier(units(3), Ratio(2_000_000, 1_000_000)), Tier(None, Ratio(500_000, 1_000_000))))


def a_line(product_id: ProductId, price: Price | Ratio, *draws: Draw) -> HeldLine:
    metered = a_price(price, product_id=product_id)
    conversion = Conversion(Ratio(1, 1_000), Rounding.UP) if product_id == IMAGES else None
    return HeldLine(
        product_id=product_id,
        contract_id="con_1",
        price=replace(metered, pricing=Pricing(metered.pricing.price, conversion)),
        dimension_values={"kind": "input"},
        counted_group_values={"user_id": "ann"},
        quantity=units(5),
        draws=draws,
    )


def a_draw(grant_id: str, credits: int) -> Draw:
    return Draw(GrantId(grant_id), Credits.of(credits))


LINES = (
    a_line(ASSISTANT, Ratio(7, 3), a_draw("grt_1", 1), a_draw("grt_2", 2)),
    a_line(IMAGES, FALLING),
    a_line(SEARCH, PackagePrice(Ratio(5, 2)), a_draw("grt_2", 4)),
)
DRAWS = [draw for line in LINES for draw in line.draws]


def test_lines_are_read_as_they_were_written() -> None:
    column = lines_to_column(LINES)
    assert column is not None

    assert lines_from_column(column, DRAWS, None, anchor=JUNE, create_time=NOON) == LINES


def test_each_line_has_the_overage_of_its_place() -> None:
    column = lines_to_column(LINES)
    assert column is not None
    overage = [number * 1_000 for number in range(len(LINES))]

    read = lines_from_column(column, DRAWS, overage, anchor=JUNE, create_time=NOON)

    assert [line.overage.micros for line in read] == overage
    assert tuple(replace(line, overage=Credits(0)) for line in read) == LINES


def test_a_hold_of_one_line_leaves_the_column_empty() -> None:
    assert lines_to_column(()) is None


def test_draws_that_the_previous_version_has_added_belong_to_the_last_line() -> None:
    column = lines_to_column(LINES)
    assert column is not None
    added = a_draw("grt_3", 9)

    *others, last = lines_from_column(column, [*DRAWS, added], None, anchor=JUNE, create_time=NOON)

    assert others == list(LINES[:-1])
    assert last == replace(LINES[-1], draws=(*LINES[-1].draws, added))


def test_the_meters_of_lines_are_those_of_the_usage_period_of_the_hold() -> None:
    column = lines_to_column(LINES)
    assert column is not None

    (first, *_) = lines_from_column(column, DRAWS, None, anchor=JUNE, create_time=JULY)

    assert first.price.meter_key is not None
    assert first.price.meter_key.period_start == JULY
