# SPDX-License-Identifier: Apache-2.0
"""Usage on invoices: nothing is lost when it is added up or shown less finely, and overage is rounded as a whole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.period import Period
from meshkit.quantity import Credits, Quantity
from services.contract.domain.ids import CreditTypeId, ProductId
from services.contract.domain.overage import CardMoney
from services.contract.domain.usage.overage import OverageSoFar, overage_lines
from services.contract.domain.usage.progress import (
    LATE_USAGE_MAX,
    UsageRhythm,
    first_progress,
    is_over,
    next_look,
    usage_span,
)
from services.contract.domain.usage.report import (
    CreditSource,
    Payer,
    UsageDetail,
    UsageLine,
    UsagePayment,
    UsageReport,
)
from tests.unit.contract.builders import a_billing_state

AI = CreditTypeId("crt_ai")
JUNE = datetime(2025, 6, 1, tzinfo=UTC)
JULY = datetime(2025, 7, 1, tzinfo=UTC)
SPAN = Period(JUNE, JULY)
DOLLAR = CardMoney(currency_code="USD", per_credit_micros={AI: 1_000_000})
DAY = timedelta(days=1)

payers = st.builds(
    Payer,
    source=st.sampled_from(CreditSource),
    product_id=st.sampled_from(["", "prd_1"]),
    source_id=st.sampled_from(["", "top_1", "top_2"]),
    effective_time=st.sampled_from([JUNE, JULY]),
)
micros = st.integers(-50_000_000, 50_000_000)
amounts = st.builds(Credits, micros)
lines = st.builds(
    UsageLine,
    credit_type_id=st.sampled_from([AI, CreditTypeId("crt_b")]),
    product_id=st.sampled_from([ProductId("prd_a"), ProductId("prd_b")]),
    product_name=st.just("AI"),
    group_value=st.sampled_from(["", "ada", "bob", "eve"]),
    quantity=st.builds(Quantity, micros),
    paid_by=st.lists(st.builds(UsagePayment, payer=payers, credits=amounts), max_size=3).map(tuple),
    overage=amounts,
    uncovered=amounts,
)
reports = st.builds(
    lambda found, detail: UsageReport(detail=detail).plus(UsageReport(detail=detail, lines=tuple(found))),
    st.lists(lines, max_size=8),
    st.sampled_from(UsageDetail),
)


def line(user: str, *paid: tuple[CreditSource, int], overage: int = 0) -> UsageLine:
    """Return usage in whole credits."""
    return UsageLine(
        credit_type_id=AI,
        product_id=ProductId("prd_a"),
        product_name="AI",
        group_value=user,
        quantity=Quantity(0),
        paid_by=tuple(
            UsagePayment(
                payer=Payer(source=source, source_id=f"{source.value} {number}"), credits=Credits.of(credits)
            )
            for number, (source, credits) in enumerate(paid)
        ),
        overage=Credits.of(overage),
    )


def report(*found: UsageLine) -> UsageReport:
    return UsageReport().plus(UsageReport(lines=found))


def totals(one: UsageReport) -> tuple[int, int, int, int]:
    return (
        sum(line.quantity.micros for line in one.lines),
        sum(line.credits.micros for line in one.lines),
        sum(line.overage.micros for line in one.lines),
        sum(line.uncovered.micros for line in one.lines),
    )


@given(reports, reports, reports)
def test_usage_is_added_up_in_any_order(a: UsageReport, b: UsageReport, c: UsageReport) -> None:
    assert a.plus(b).plus(c) == a.plus(b.plus(c)) == c.plus(b).plus(a)
    assert totals(a.plus(b)) == tuple(x + y for x, y in zip(totals(a), totals(b), strict=True))


@given(reports, st.integers(1, 20))
def test_what_is_shown_less_finely_is_still_all_of_it(a: UsageReport, rows_max: int) -> None:
    shown = a.limited(rows_max)

    assert totals(shown) == totals(a)
    assert shown.rows <= max(a.rows, rows_max)
    assert shown.rows <= rows_max or shown.detail is UsageDetail.PRODUCT_AND_KIND


@given(reports)
def test_what_is_taken_back_as_a_whole_leaves_nothing(a: UsageReport) -> None:
    back = tuple(
        replace(
            one,
            quantity=Quantity(-one.quantity.micros),
            paid_by=tuple(replace(paid, credits=-paid.credits) for paid in one.paid_by),
            overage=-one.overage,
            uncovered=-one.uncovered,
        )
        for one in a.lines
    )
    assert a.plus(UsageReport(detail=a.detail, lines=back)).lines == ()


def test_users_then_grants_are_left_out_where_there_are_too_many() -> None:
    included, bought = CreditSource.INCLUDED, CreditSource.TOP_UP
    whole = report(
        line("ada", (included, 3), (bought, 1), (bought, 1)),
        line("bob", (included, 4)),
        line("eve", overage=2),
    )

    assert whole.limited(5) == whole
    by_product = whole.limited(4)
    assert by_product.detail is UsageDetail.PRODUCT_AND_GRANT
    assert [(one.group_value, one.credits.micros) for one in by_product.lines] == [("", 11_000_000)]
    by_kind = whole.limited(2)
    assert [(one.payer, one.credits.micros) for one in by_kind.lines[0].paid_by] == [
        (Payer(source=included), 7_000_000),
        (Payer(source=bought), 2_000_000),
    ]
    assert by_kind.lines[0].overage == Credits.of(2)
    # Coarse usage makes the whole coarse: a user's part of it is not known.
    assert by_product.plus(report(line("ada", (included, 1)))).detail is UsageDetail.PRODUCT_AND_GRANT


def so_far_of(exact_micros: int, charged_micros: int) -> OverageSoFar:
    return OverageSoFar(exact_micros=Fraction(exact_micros), charged_micros=charged_micros)


def charged(reported: UsageReport, so_far: OverageSoFar = OverageSoFar()) -> tuple[int, OverageSoFar]:  # noqa: B008
    """Return what a report's overage costs in cents, and the overage so far with it."""
    found = overage_lines(reported, DOLLAR, so_far, SPAN)
    total = sum(one.total.micros for one in found)
    exact = sum(
        (one.quantity * one.unit_price.micros * one.share.fraction for one in found), start=Fraction(0)
    )
    after = OverageSoFar(
        exact_micros=so_far.exact_micros + exact, charged_micros=so_far.charged_micros + total
    )
    return total // 10_000, after


def overage(micros: int, product: str = "prd_a") -> UsageReport:
    return report(replace(line("ada"), product_id=ProductId(product), overage=Credits(micros)))


def test_fractions_of_a_cent_are_carried_to_the_next_invoice() -> None:
    so_far, cents = OverageSoFar(), []
    for _ in range(4):
        one, so_far = charged(overage(4_000), so_far)  # 0.4 cents each
        cents.append(one)
    assert cents == [0, 1, 0, 1]

    (shown,) = overage_lines(overage(4_000), DOLLAR, so_far_of(4_000, 0), SPAN)
    assert (shown.exact_micros, shown.carried_micros, shown.total.micros) == (4_000, 4_000, 10_000)


def test_what_is_taken_back_is_paid_back() -> None:
    first, so_far = charged(overage(20_000_000))
    back, so_far = charged(overage(-5_000_000), so_far)

    assert (first, back) == (2_000, -500)
    assert so_far == so_far_of(15_000_000, 15_000_000)


def test_overage_of_a_void_invoice_that_is_taken_back_is_not_paid_back() -> None:
    assert charged(overage(-5_000_000)) == (0, so_far_of(-5_000_000, 0))


@given(st.lists(st.integers(0, 30_000_000), min_size=1, max_size=8), st.booleans())
def test_overage_costs_the_same_however_it_is_spread(parts: list[int], has_products: bool) -> None:
    so_far = OverageSoFar()
    for number, part in enumerate(parts):
        _, so_far = charged(overage(part, f"prd_{number % 2}" if has_products else "prd_a"), so_far)
    whole, _ = charged(overage(sum(parts)))
    assert so_far.charged_micros == whole * 10_000


RHYTHM = UsageRhythm(grace=DAY, interval=DAY)


def test_a_period_is_cut_by_the_contract_s_start_and_end() -> None:
    contract = replace(a_billing_state().contract, start_time=JUNE + 2 * DAY, end_time=JULY - DAY)
    progress = first_progress(contract, None)

    assert progress.closed_time == JUNE + 2 * DAY
    assert usage_span(contract, progress, SPAN) == Period(JUNE + 2 * DAY, JULY - DAY)
    assert usage_span(replace(contract, end_time=JULY), progress, SPAN) == Period(JUNE + 2 * DAY, JULY)
    # After the end, what is late is invoiced by whole usage periods.
    closed = replace(progress, closed_time=JULY)
    assert usage_span(contract, closed, Period(JULY, JULY + 31 * DAY)) == Period(JULY, JULY + 31 * DAY)


def test_a_contract_is_looked_at_daily_until_its_end_and_then_once_a_period_for_a_year() -> None:
    contract = replace(a_billing_state().contract, start_time=JUNE, end_time=None)
    progress = first_progress(contract, None)
    closes = JULY + DAY

    assert next_look(contract, progress, closes, at=JUNE, rhythm=RHYTHM) == JUNE + DAY
    assert next_look(contract, progress, closes, at=JULY + DAY / 2, rhythm=RHYTHM) == closes
    ended = replace(contract, end_time=JUNE + 5 * DAY)
    late = replace(progress, closed_time=JULY)
    assert next_look(ended, late, JULY + 32 * DAY, at=JULY + 3 * DAY, rhythm=RHYTHM) == JULY + 32 * DAY
    over = JUNE + 5 * DAY + LATE_USAGE_MAX
    assert not is_over(ended, replace(late, closed_time=over - DAY))
    assert is_over(ended, replace(late, closed_time=over))
    assert not is_over(contract, replace(late, closed_time=over))


@pytest.mark.parametrize(
    ("usage_from", "start"), [(None, JUNE), (JUNE - DAY, JUNE), (JUNE, JUNE), (JUNE + DAY, JUNE + DAY)]
)
def test_usage_from_before_the_upgrade_is_not_invoiced(usage_from: datetime | None, start: datetime) -> None:
    progress = first_progress(replace(a_billing_state().contract, start_time=JUNE), usage_from)

    assert progress.closed_time == start


def test_lines_are_in_order_of_product_and_user() -> None:
    found = report(line("eve", overage=1), line("", overage=1), line("ada", overage=1)).lines
    assert all(a.group_value < b.group_value for a, b in pairwise(found))
