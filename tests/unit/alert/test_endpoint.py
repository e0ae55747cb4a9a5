# SPDX-License-Identifier: Apache-2.0
"""Signing secrets: how they are made, which are in use, and that signatures hold."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.alert.domain.endpoint import (
    FAILING_MAX,
    FAILURES_APART_MAX,
    ROTATION_OVERLAP,
    SIGNATURES_MAX,
    Failures,
    Secret,
    SecretId,
    WebhookEndpointId,
    is_reserved,
    next_failure,
    secret_text,
    signing_secrets,
)
from services.alert.webhooks.signature import signed_headers

NOW = datetime(2025, 6, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.fixture
def just_now() -> datetime:
    """The machine's own time: the library refuses signatures older than 5 minutes by it."""
    return datetime.now(UTC)


BODY = '{"type":"alert.in_alarm","data":{"alert_name":"Zoë"}}'


def a_secret(number: int, *, expire_time: datetime | None = None) -> Secret:
    return Secret(
        secret_id=SecretId(f"sec_{number}"),
        webhook_endpoint_id=WebhookEndpointId("end_1"),
        text=secret_text(bytes([number]) * 32),
        create_time=NOW,
        expire_time=expire_time,
    )


def test_a_secret_is_whsec_and_base64_of_its_bytes() -> None:
    text = secret_text(bytes(range(32)))

    assert text.startswith("whsec_")
    assert base64.b64decode(text.removeprefix("whsec_")) == bytes(range(32))


def test_a_secret_does_not_show_when_it_is_printed() -> None:
    assert "whsec_" not in repr(a_secret(1))


def test_a_rotated_secret_is_used_for_24_hours_and_not_an_instant_longer() -> None:
    old, new = a_secret(1, expire_time=NOW + ROTATION_OVERLAP), a_secret(2)
    tick = timedelta(microseconds=1)

    assert timedelta(hours=24) == ROTATION_OVERLAP
    assert signing_secrets([old, new], at=NOW + ROTATION_OVERLAP - tick) == (new, old)
    assert signing_secrets([old, new], at=NOW + ROTATION_OVERLAP) == (new,)


def test_however_often_it_is_rotated_only_the_newest_few_sign() -> None:
    secrets = [a_secret(n, expire_time=NOW + ROTATION_OVERLAP) for n in range(1, 9)] + [a_secret(9)]

    used = signing_secrets(secrets, at=NOW)

    assert [secret.secret_id for secret in used] == ["sec_9", "sec_8", "sec_7", "sec_6"]
    assert len(used) == SIGNATURES_MAX


def test_the_library_of_the_scheme_accepts_the_signature(just_now: datetime) -> None:
    headers = signed_headers("dlv_1", BODY, [a_secret(1)], at=just_now)

    assert Webhook(a_secret(1).text).verify(BODY, headers) == json.loads(BODY)
    assert headers["webhook-id"] == "dlv_1"
    assert headers["webhook-timestamp"] == str(int(just_now.timestamp()))


@pytest.mark.parametrize(
    ("body", "delivery_id", "seconds_later"),
    [(BODY + " ", "dlv_1", 0), (BODY, "dlv_2", 0), (BODY, "dlv_1", 1)],
)
def test_what_was_tampered_with_is_not_accepted(
    just_now: datetime, body: str, delivery_id: str, seconds_later: int
) -> None:
    headers = signed_headers("dlv_1", BODY, [a_secret(1)], at=just_now) | {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(just_now.timestamp()) + seconds_later),
    }

    with pytest.raises(WebhookVerificationError):
        Webhook(a_secret(1).text).verify(body, headers)


def test_during_a_rotation_either_secret_verifies_and_no_other(just_now: datetime) -> None:
    headers = signed_headers("dlv_1", BODY, [a_secret(2), a_secret(1)], at=just_now)

    for secret in (a_secret(1), a_secret(2)):
        assert Webhook(secret.text).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(a_secret(3).text).verify(BODY, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


def test_failures_without_a_success_are_one_row_until_they_last_three_days() -> None:
    row = next_failure(None, at=NOW)
    assert row == Failures(since_time=NOW, latest_time=NOW)
    row = next_failure(row, at=NOW + timedelta(days=1, hours=12))
    assert row == Failures(since_time=NOW, latest_time=NOW + timedelta(days=1, hours=12))

    assert not next_failure(row, at=NOW + FAILING_MAX - TICK).is_too_long()
    assert next_failure(row, at=NOW + FAILING_MAX).is_too_long()


def test_failures_two_days_apart_do_not_belong_together() -> None:
    first = next_failure(None, at=NOW)

    assert next_failure(first, at=NOW + FAILURES_APART_MAX - TICK).since_time == NOW
    assert next_failure(first, at=NOW + FAILURES_APART_MAX).since_time == NOW + FAILURES_APART_MAX


def test_a_late_record_does_not_move_the_latest_failure_back() -> None:
    later = next_failure(next_failure(None, at=NOW), at=NOW + timedelta(hours=1))

    assert next_failure(later, at=NOW + timedelta(minutes=1)) == later


@pytest.mark.parametrize("name", ["content-type", "user-agent", "host", "webhook-id", "webhook-", "te"])
def test_headers_that_requests_have_anyway_are_reserved(name: str) -> None:
    assert is_reserved(name)
    assert not is_reserved(f"x-{name}")
