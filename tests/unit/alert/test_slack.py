# SPDX-License-Identifier: Apache-2.0
"""The texts that endpoints of the kind SLACK get."""

import json

import pytest

from services.alert.domain.event import EventType
from services.alert.domain.slack import TEXT_LENGTH_MAX, slack_body
from tests.support.payloads import example_of


def text_of(event_type: str = "top_up.paid", **data: object) -> str:
    payload = {"type": event_type, "timestamp": "2025-06-01T00:00:01Z", "data": data}
    body = json.loads(slack_body(json.dumps(payload)))
    assert body.keys() == {"text"}
    text: str = body["text"]
    return text


def test_amounts_are_written_out_and_what_is_empty_is_left_out() -> None:
    text = text_of(
        top_up_id="top_1",
        group_key="",
        refund=None,
        amount_micros=1_000_000_000,
        value_micros=-8_548_387,
        price={"currency_code": "USD", "micros": 80_500_000},
        last_payment_error={"code": "card_declined", "message": "Your card was declined."},
        suspends=False,
        failures=2,
    )

    assert text.splitlines() == [
        "*top_up.paid* 2025-06-01T00:00:01Z",
        "top_up_id: top_1",
        "amount: 1,000.00",
        "value: -8.548387",
        "price: 80.50 USD",
        "last_payment_error.code: card_declined",
        "last_payment_error.message: Your card was declined.",
        "suspends: false",
        "failures: 2",
    ]


def test_a_name_cannot_mention_or_link_anything() -> None:
    text = text_of(alert_name="<!channel> & <https://evil.example|click>")

    assert "alert_name: &lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;" in text.splitlines()


def test_a_long_text_is_cut_at_a_line() -> None:
    lines = text_of(**{f"field_{number}": "x" * 90 for number in range(100)}).splitlines()

    assert lines[-1] == "…"
    assert all(line.endswith("x" * 90) for line in lines[1:-1])
    assert TEXT_LENGTH_MAX - 110 < len("\n".join(lines)) <= TEXT_LENGTH_MAX


@pytest.mark.parametrize("event_type", [one.value for one in EventType])
def test_every_type_has_a_text_of_all_that_its_example_says(event_type: str) -> None:
    example = example_of(event_type)

    text = json.loads(slack_body(json.dumps(example)))["text"]

    assert text.startswith(f"*{event_type}*")
    for name, value in example["data"].items():
        if isinstance(value, str) and value:
            assert f"{name}: {value}" in text.splitlines()
