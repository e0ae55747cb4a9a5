# SPDX-License-Identifier: Apache-2.0
"""Who gets a mail, what becomes of one that only some get, and what it says."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alert.domain.delivery import (
    Acceptance,
    Attempt,
    DeliveryId,
    FinalFailure,
    MailProgress,
    Outcome,
    Retry,
)
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.event import EventType
from services.alert.domain.mail import MailAnswer, Reply, is_mail_address, judge_mail, unmailed
from services.alert.mail.message import message_of
from services.alert.mail.render import SUBJECT_LENGTH_MAX, render_mail
from services.alert.mail.server import Sender
from tests.support.alert import JUNE
from tests.support.payloads import example_of

ANN, BOB, EVE = "ann@vendor.example", "bob@vendor.example", "eve@vendor.example"
OK, LATER, NEVER = Reply(code=250), Reply(code=450, text="greylisted"), Reply(code=550, text="no such user")
DAYS = timedelta(days=2)
SOFT_HYPHEN = "\u00ad"


def an_attempt(mailed: MailProgress | None = None) -> Attempt:
    return Attempt(
        delivery_id=DeliveryId("dlv_1"),
        webhook_endpoint_id=WebhookEndpointId("end_1"),
        attempts=1,
        tries=1,
        give_up_time=JUNE + DAYS,
        payload="{}",
        mailed=mailed or MailProgress(),
    )


def judged(
    answer: MailAnswer, *, mailed: MailProgress | None = None, after: timedelta = timedelta(0)
) -> Outcome:
    """Judge an attempt to mail to Ann and Bob that ended some time after the first."""
    return judge_mail(an_attempt(mailed), (ANN, BOB), answer, at=JUNE + after, jitter=1.0)


def test_a_mail_that_is_accepted_for_all_is_delivered() -> None:
    outcome = judged(MailAnswer(replies={ANN: OK, BOB: OK}))

    assert outcome.verdict == Acceptance()
    assert outcome.is_success
    assert (outcome.answer.status_code, outcome.answer.error) == (250, "")


def test_a_mail_is_retried_for_who_is_put_off_and_the_others_have_it() -> None:
    outcome = judged(MailAnswer(replies={ANN: OK, BOB: LATER}))

    assert outcome.verdict == Retry(JUNE + timedelta(seconds=1))
    assert outcome.is_success
    assert outcome.mailed == MailProgress(accepted=frozenset([ANN]))
    assert (outcome.answer.status_code, outcome.answer.error) == (450, f"{BOB}: 450 greylisted")


def test_who_is_put_off_for_two_days_is_given_up() -> None:
    put_off = MailAnswer(replies={ANN: OK, BOB: LATER})

    assert judged(put_off, after=DAYS - timedelta(microseconds=1)).verdict == Retry(JUNE + DAYS)
    assert judged(put_off, after=DAYS).verdict == FinalFailure()


def test_a_mail_that_is_refused_for_one_has_failed_once_nobody_waits() -> None:
    first = judged(MailAnswer(replies={ANN: NEVER, BOB: LATER}))
    assert isinstance(first.verdict, Retry)
    assert not first.is_success
    assert first.mailed == MailProgress(refused={ANN: "550 no such user"})

    second = judged(MailAnswer(replies={BOB: OK}), mailed=first.mailed)

    assert second.verdict == FinalFailure()
    assert second.is_success
    assert second.answer.error == f"{ANN}: 550 no such user"


def test_what_the_server_refuses_before_the_recipients_is_retried() -> None:
    outcome = judged(MailAnswer(problem=Reply(code=535, text="wrong password")))

    assert isinstance(outcome.verdict, Retry)
    assert not outcome.is_success
    assert (outcome.answer.status_code, outcome.answer.error) == (535, "535 wrong password")


def test_those_whom_the_server_did_not_reply_about_wait() -> None:
    outcome = judged(
        MailAnswer(replies={ANN: NEVER}, problem=Reply(code=0, text="the connection was closed"))
    )

    assert isinstance(outcome.verdict, Retry)
    assert outcome.answer.error == f"{ANN}: 550 no such user; {BOB}: the connection was closed"


def test_a_reply_is_shown_as_one_short_line() -> None:
    outcome = judged(MailAnswer(problem=Reply(code=421, text="a\r\n\x00b" + "c" * 500)))

    assert outcome.answer.error == "421 a   b" + "c" * 195


_REPLIES = st.sampled_from([OK, LATER, NEVER, None])


@given(st.lists(st.tuples(_REPLIES, _REPLIES, _REPLIES), min_size=1, max_size=6))
def test_nobody_for_whom_a_mail_was_accepted_is_offered_it_again(
    rounds: list[tuple[Reply | None, ...]],
) -> None:
    recipients, progress, accepted = (ANN, BOB, EVE), MailProgress(), list[str]()
    for replies in rounds:
        offered = unmailed(recipients, progress)
        answers = {
            one: reply for one, reply in zip(recipients, replies, strict=True) if reply and one in offered
        }
        accepted += [one for one, reply in answers.items() if reply is OK]
        outcome = judge_mail(
            an_attempt(progress), recipients, MailAnswer(replies=answers), at=JUNE, jitter=0.0
        )
        assert outcome.mailed is not None
        progress = outcome.mailed
        assert isinstance(outcome.verdict, Retry) == bool(unmailed(recipients, progress))
        assert isinstance(outcome.verdict, Acceptance) == (set(accepted) == set(recipients))

    assert len(accepted) == len(set(accepted))
    assert progress.accepted == set(accepted)


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("ann@vendor.example", True),
        ("ann.b+purser@mail-1.vendor.example", True),
        (f"{'a' * 64}@vendor.example", True),
        (f"{'a' * 65}@vendor.example", False),
        (f"a@{'.'.join(['b' * 62] * 4)}", True),
        (f"a@{'.'.join(['b' * 62] * 4)}.c", False),
        ("ann@localhost", True),
        ("ann@-vendor.example", False),
        ("ann@vendor.example.", False),
        ("ann..b@vendor.example", False),
        (".ann@vendor.example", False),
        ("ann@[127.0.0.1]", False),
        ('"ann b"@vendor.example', False),
        ("ann@vendor.example\n", False),
        ("ann@vendor.example, bob@vendor.example", False),
        (f"ann@ven{SOFT_HYPHEN}dor.example", False),
        ("", False),
    ],
)
def test_addresses(address: str, is_one: bool) -> None:
    assert is_mail_address(address) == is_one


@pytest.mark.parametrize("event_type", [one.value for one in EventType])
def test_every_type_has_words_of_its_own_and_shows_all_its_fields(event_type: str) -> None:
    example = example_of(event_type)

    mail = render_mail(json.dumps(example))

    assert mail.subject not in ("", event_type)
    assert mail.subject[0].isupper()
    assert f"Event: {event_type}" in mail.text
    for name, value in example["data"].items():
        if isinstance(value, str) and value:
            label = name.replace("_", " ").capitalize()
            assert f"{label}: {value}" in mail.text.splitlines()
            assert f">{label}</td>" in mail.html
            assert f">{value}</td>" in mail.html


def test_amounts_are_written_out() -> None:
    mail = render_mail(json.dumps(example_of("top_up.refunded")))

    assert mail.subject == "Top-up refunded: 80.00 USD"
    assert "A top-up of 1,000.00 credits for 80.00 USD" in mail.text
    assert "The money concerned: 40.00 USD." in mail.text
    assert "Price: 80.00 USD" in mail.text
    assert "Refund, amount: 40.00 USD" in mail.text


def test_a_failed_charge_is_explained() -> None:
    mail = render_mail(json.dumps(example_of("invoice.payment_failed")))

    assert mail.subject == "Payment of an invoice failed: 000002, 80.00 USD"
    assert "Attempt 1 to charge it failed: Your card was declined." in mail.text
    assert "The next attempt is at 2025-06-04T00:00:00Z." in mail.text


def test_an_event_that_lacks_a_field_gets_the_words_for_any_event() -> None:
    for due in ({}, {"due": None}, {"due": {"currency_code": "USD"}}):
        example = example_of("invoice.paid")
        del example["data"]["due"]
        example["data"] |= due

        mail = render_mail(json.dumps(example))

        assert mail.subject == "invoice.paid"
        assert "Number: 000002" in mail.text


def test_an_unknown_type_gets_the_words_for_any_event() -> None:
    mail = render_mail('{"type":"comet.seen","timestamp":"t","event_id":"e","data":{"size_micros":1500000}}')

    assert mail.subject == "comet.seen"
    assert "Size: 1.50" in mail.text


@pytest.mark.parametrize("field", ["alert_name", "customer_id", "group_value", "alert_type", "state"])
def test_every_value_is_escaped_in_html(field: str) -> None:
    example = example_of("alert.in_alarm")
    example["data"][field] = "<img src=x onerror=alert(1)> & \"'"

    html = render_mail(json.dumps(example)).html

    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; &#34;&#39;" in html


@given(st.text(min_size=1, max_size=300))
def test_no_name_adds_a_header(name: str) -> None:
    example = example_of("alert.in_alarm")
    example["data"]["alert_name"] = f"{name}\r\nBcc: eve@evil.example\n\n"
    mail = render_mail(json.dumps(example))

    raw = message_of(
        mail,
        event_id="evt_1",
        event_type="alert.in_alarm",
        sender=Sender(name="Purser", address="alerts@vendor.example"),
        recipients=(ANN,),
        at=JUNE,
    )

    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(mail.subject) <= SUBJECT_LENGTH_MAX
    assert sorted(names) == sorted(
        [
            *(b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted"),
            *(b"X-Purser-Event-Type", b"MIME-Version", b"Content-Type"),
        ]
    )
