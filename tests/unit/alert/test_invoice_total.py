# SPDX-License-Identifier: Apache-2.0
"""What the events of an invoice say, and whether it has reached a threshold."""

import itertools
import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.quantity import Credits
from services.alert.domain.alert import INVOICE_KEY, AlertType, CreditTypeId
from services.alert.domain.invoice_total import Invoice, crossing_of, invoice_from, is_reached
from services.alert.domain.status import AlertState, observe, unobserved
from tests.support.alert import JUNE
from tests.support.alert_store import ACME_ID, an_alert_row
from tests.support.payloads import example_of

ALERT = replace(
    an_alert_row(),
    alert_type=AlertType.INVOICE_TOTAL,
    credit_type_id=CreditTypeId(""),
    group_key=INVOICE_KEY,
    threshold=Credits.of(80),
    rearm=Credits.of(80),
    currency_code="USD",
)
FINALIZED, PAID, VOIDED = "invoice.finalized", "invoice.paid", "invoice.voided"


def an_invoice(**changed: object) -> Invoice:
    invoice = Invoice(currency_code="USD", total=Credits.of(80), is_open=True, time=JUNE)
    return replace(invoice, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("invoice", "reached"),
    [
        (an_invoice(), True),
        (an_invoice(total=Credits(80_000_000 - 1)), False),
        (an_invoice(currency_code="EUR"), False),
        (an_invoice(is_open=False), False),
    ],
)
def test_an_open_invoice_in_the_currency_reaches_the_threshold_exactly(
    invoice: Invoice, reached: bool
) -> None:
    assert is_reached(ALERT, invoice) == reached


@given(st.lists(st.sampled_from([FINALIZED, PAID, VOIDED]), min_size=1, max_size=4), st.randoms())
def test_an_invoice_is_open_while_no_event_says_otherwise_in_whatever_order_they_are(
    types: list[str], dice: random.Random
) -> None:
    payloads = [
        json.dumps(
            example_of(one) | {"timestamp": (JUNE + timedelta(seconds=n)).isoformat().replace("+00:00", "Z")}
        )
        for n, one in enumerate(types)
    ]
    dice.shuffle(payloads)

    invoice = invoice_from(payloads)

    assert invoice == Invoice(
        currency_code="USD",
        total=Credits.of(80),
        is_open=set(types) == {FINALIZED},
        time=JUNE + timedelta(seconds=len(types) - 1),
    )


def test_events_without_a_total_say_nothing() -> None:
    assert invoice_from([]) is None
    assert invoice_from(['{"type":"invoice.paid","timestamp":"2025-06-01T00:00:00Z","data":{}}']) is None


@given(st.lists(st.booleans(), max_size=8))
def test_each_change_of_an_invoice_is_one_observation(opens: list[bool]) -> None:
    status, states = unobserved(ALERT, ACME_ID, "inv_1"), []
    for is_open in opens:
        crossing = crossing_of(ALERT, an_invoice(is_open=is_open), status)
        if crossing is not None:
            assert crossing.sequence == status.sequence + 1
            status = observe(status, crossing)
            states.append(status.state)
        assert status.state is (AlertState.IN_ALARM if is_open else AlertState.OK)
        assert crossing_of(ALERT, an_invoice(is_open=is_open), status) is None

    assert all(before is not after for before, after in itertools.pairwise(states))
