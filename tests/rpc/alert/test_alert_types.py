# SPDX-License-Identifier: Apache-2.0
"""The types of alerts: which fields each has, its default rearm level, and what the Ledger hears."""

import pytest

from deploy.local.webhook_receiver import WebhookReceiver
from purser.alert.v1 import alert_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.alert import ACME, AlertPeerStub, AlertStub, a_crossing, an_endpoint
from tests.support.faults import bad_fields
from tests.support.ledger_peer import RecordingLedger

PERCENT = CREDIT = 1_000_000


def a_request(alert_type: "pb.AlertType.ValueType", **fields: object) -> pb.CreateAlertRequest:
    asked: dict[str, object] = {
        "request_id": "r1",
        "name": "Watched",
        "alert_type": alert_type,
        "customer_id": ACME,
        "credit_type_id": "crt_ai",
    }
    return pb.CreateAlertRequest(**(asked | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("alert_type", "threshold", "rearm", "kind"),
    [
        (pb.ALERT_TYPE_LOW_PERCENTAGE, 20 * PERCENT, 21 * PERCENT, ledger_pb.WATCH_KIND_LOW_PERCENTAGE),
        (pb.ALERT_TYPE_LOW_PERCENTAGE, 10_000, 10_500, ledger_pb.WATCH_KIND_LOW_PERCENTAGE),
        (pb.ALERT_TYPE_LOW_PERCENTAGE, 100 * PERCENT, 105 * PERCENT, ledger_pb.WATCH_KIND_LOW_PERCENTAGE),
        (pb.ALERT_TYPE_SHORTFALL, 100 * CREDIT, 95 * CREDIT, ledger_pb.WATCH_KIND_SHORTFALL),
        (pb.ALERT_TYPE_SHORTFALL, 1, 1, ledger_pb.WATCH_KIND_SHORTFALL),
        (pb.ALERT_TYPE_OVERAGE, 10 * CREDIT, 9 * CREDIT, ledger_pb.WATCH_KIND_OVERAGE),
        (pb.ALERT_TYPE_GRANT_EXPIRING, 50 * CREDIT, 47_500_000, ledger_pb.WATCH_KIND_GRANT_EXPIRING),
        (pb.ALERT_TYPE_LOW_SEAT_BALANCE, 20 * CREDIT, 21 * CREDIT, ledger_pb.WATCH_KIND_LOW_SEAT_BALANCE),
        (pb.ALERT_TYPE_LOW_SEAT_BALANCE, 0, CREDIT, ledger_pb.WATCH_KIND_LOW_SEAT_BALANCE),
    ],
)
async def test_the_ledger_watches_a_type_with_its_default_rearm_level(
    alert: AlertStub,
    ledger: RecordingLedger,
    alert_type: "pb.AlertType.ValueType",
    threshold: int,
    rearm: int,
    kind: "ledger_pb.WatchKind.ValueType",
) -> None:
    days = 7 if alert_type == pb.ALERT_TYPE_GRANT_EXPIRING else 0
    key = "user_id" if alert_type == pb.ALERT_TYPE_LOW_SEAT_BALANCE else ""
    request = a_request(alert_type, threshold_micros=threshold, expires_within_days=days, group_key=key)
    made = (await alert.CreateAlert(request)).alert

    (heard,) = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert (made.alert_type, made.threshold_micros, made.rearm_micros) == (alert_type, threshold, rearm)
    assert (heard.watch_kind, heard.threshold_micros, heard.rearm_micros) == (kind, threshold, rearm)
    assert made.expires_within_days == heard.within_days == days
    assert made.group_key == heard.group_key == key


@pytest.mark.parametrize(
    "alert_type", [pb.ALERT_TYPE_SHORTFALL, pb.ALERT_TYPE_OVERAGE, pb.ALERT_TYPE_GRANT_EXPIRING]
)
async def test_a_threshold_of_0_is_any_amount(alert: AlertStub, alert_type: "pb.AlertType.ValueType") -> None:
    days = 7 if alert_type == pb.ALERT_TYPE_GRANT_EXPIRING else 0
    made = (await alert.CreateAlert(a_request(alert_type, expires_within_days=days))).alert
    assert (made.threshold_micros, made.rearm_micros) == (1, 1)

    update = pb.UpdateAlertRequest(request_id="u1", alert_id=made.alert_id, threshold_micros=5 * CREDIT)
    assert (await alert.UpdateAlert(update)).alert.rearm_micros == 4 * CREDIT
    back = pb.UpdateAlertRequest(request_id="u2", alert_id=made.alert_id, threshold_micros=0)
    assert (await alert.UpdateAlert(back)).alert.threshold_micros == 1


@pytest.mark.parametrize("threshold", [-1, 0, 9_999, 10_001, 100 * PERCENT + 10_000])
async def test_a_percentage_is_above_0_and_at_most_100_in_hundredths(
    alert: AlertStub, threshold: int
) -> None:
    with bad_fields("threshold_micros"):
        await alert.CreateAlert(a_request(pb.ALERT_TYPE_LOW_PERCENTAGE, threshold_micros=threshold))

    made = (await alert.CreateAlert(a_request(pb.ALERT_TYPE_LOW_PERCENTAGE, threshold_micros=PERCENT))).alert
    update = pb.UpdateAlertRequest(request_id="u1", alert_id=made.alert_id, threshold_micros=threshold)
    with bad_fields("threshold_micros"):
        await alert.UpdateAlert(update)


async def test_a_field_that_a_type_does_not_use_is_refused(alert: AlertStub) -> None:
    with bad_fields("group_key", "group_value"):
        await alert.CreateAlert(
            a_request(
                pb.ALERT_TYPE_LOW_PERCENTAGE,
                threshold_micros=PERCENT,
                group_key="user_id",
                group_value="ann",
            )
        )


async def test_a_seat_alert_needs_the_key_of_the_seat_ids(alert: AlertStub) -> None:
    with bad_fields("group_key"):
        await alert.CreateAlert(a_request(pb.ALERT_TYPE_LOW_SEAT_BALANCE, group_value="ann"))


async def test_an_updated_percentage_gets_its_default_rearm_level(
    alert: AlertStub, ledger: RecordingLedger
) -> None:
    made = (await alert.CreateAlert(a_request(pb.ALERT_TYPE_LOW_PERCENTAGE, threshold_micros=PERCENT))).alert
    update = pb.UpdateAlertRequest(request_id="u1", alert_id=made.alert_id, threshold_micros=40 * PERCENT)

    changed = (await alert.UpdateAlert(update)).alert

    assert changed.rearm_micros == 42 * PERCENT
    assert [one.version for one in ledger.told_of(ledger_pb.WatchThresholdRequest)] == [1, 2]


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_a_grant_expires_within_1_to_366_days(alert: AlertStub, days: int) -> None:
    with bad_fields("expires_within_days"):
        await alert.CreateAlert(a_request(pb.ALERT_TYPE_GRANT_EXPIRING, expires_within_days=days))
    for number, right in enumerate((1, 366)):
        request = a_request(pb.ALERT_TYPE_GRANT_EXPIRING, expires_within_days=right, name=f"Alert {number}")
        request.request_id = f"days-{right}"
        assert (await alert.CreateAlert(request)).alert.expires_within_days == right
    with bad_fields("expires_within_days"):
        await alert.CreateAlert(a_request(pb.ALERT_TYPE_OVERAGE, expires_within_days=1))


async def test_an_expiring_grant_is_named_in_the_event(
    alert: AlertStub, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    request = a_request(pb.ALERT_TYPE_GRANT_EXPIRING, threshold_micros=50 * CREDIT, expires_within_days=7)
    made = (await alert.CreateAlert(request)).alert

    await peer.ObserveCrossing(
        a_crossing(made, 1, in_alarm=True, group_value="grt_1", value_micros=60 * CREDIT)
    )

    event = await receiver.next_event()
    assert (event.data["group_value"], event.data["expires_within_days"]) == ("grt_1", 7)
    assert (event.data["alert_type"], event.data["value_micros"]) == ("GRANT_EXPIRING", 60 * CREDIT)


async def test_a_spend_of_the_day_is_watched_as_such_and_its_window_is_in_the_event(
    alert: AlertStub, ledger: RecordingLedger, peer: AlertPeerStub, receiver: WebhookReceiver
) -> None:
    await an_endpoint(alert, receiver)
    request = a_request(
        pb.ALERT_TYPE_SPEND, threshold_micros=CREDIT, group_key="user_id", window=pb.SPEND_WINDOW_DAY
    )
    made = (await alert.CreateAlert(request)).alert
    without = a_request(
        pb.ALERT_TYPE_SPEND, threshold_micros=CREDIT, group_key="user_id", name="Without a window"
    )
    without.request_id = "r2"
    of_period = (await alert.CreateAlert(without)).alert

    kinds = [one.watch_kind for one in ledger.told_of(ledger_pb.WatchThresholdRequest)]
    assert kinds == [ledger_pb.WATCH_KIND_SPEND_IN_DAY, ledger_pb.WATCH_KIND_SPEND]
    assert made.window == pb.SPEND_WINDOW_DAY
    assert of_period.window == pb.SPEND_WINDOW_BILLING_PERIOD
    await peer.ObserveCrossing(a_crossing(made, 1, in_alarm=True, group_value="ann"))
    assert (await receiver.next_event()).data["window"] == "DAY"


async def test_other_types_have_no_window(alert: AlertStub) -> None:
    with bad_fields("window"):
        await alert.CreateAlert(a_request(pb.ALERT_TYPE_LOW_BALANCE, window=pb.SPEND_WINDOW_DAY))
    with bad_fields("window"):
        await alert.CreateAlert(a_request(pb.ALERT_TYPE_SPEND, threshold_micros=1, group_key="k", window=9))
    made = (await alert.CreateAlert(a_request(pb.ALERT_TYPE_LOW_BALANCE))).alert
    assert made.window == pb.SPEND_WINDOW_UNSPECIFIED


@pytest.mark.parametrize(
    ("window", "kind"),
    [
        (pb.SPEND_WINDOW_BILLING_PERIOD, ledger_pb.WATCH_KIND_SPEND),
        (pb.SPEND_WINDOW_DAY, ledger_pb.WATCH_KIND_SPEND_IN_DAY),
        (pb.SPEND_WINDOW_WEEK, ledger_pb.WATCH_KIND_SPEND_IN_WEEK),
        (pb.SPEND_WINDOW_MONTH, ledger_pb.WATCH_KIND_SPEND_IN_MONTH),
    ],
)
@pytest.mark.parametrize("product_id", ["", "prd_1"])
async def test_a_spend_is_of_the_customer_or_of_a_product_in_each_window(
    alert: AlertStub,
    ledger: RecordingLedger,
    peer: AlertPeerStub,
    receiver: WebhookReceiver,
    window: pb.SpendWindow,
    kind: ledger_pb.WatchKind,
    product_id: str,
) -> None:
    await an_endpoint(alert, receiver)
    request = a_request(pb.ALERT_TYPE_SPEND, threshold_micros=CREDIT, window=window, product_id=product_id)

    made = (await alert.CreateAlert(request)).alert

    assert (made.window, made.group_key, made.product_id) == (window, "", product_id)
    assert (await alert.GetAlert(pb.GetAlertRequest(alert_id=made.alert_id))).alert == made
    (watch,) = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert (watch.watch_kind, watch.group_key, watch.product_id) == (kind, "", product_id)
    await peer.ObserveCrossing(a_crossing(made, 1, in_alarm=True))
    event = await receiver.next_event()
    assert (event.data["product_id"], event.data["group_value"]) == (product_id, "")


async def test_a_product_or_a_value_without_its_key_is_refused(alert: AlertStub) -> None:
    for wrong in (
        a_request(pb.ALERT_TYPE_SPEND, threshold_micros=1, group_key="user_id", product_id="prd_1"),
        a_request(pb.ALERT_TYPE_LOW_BALANCE, product_id="prd_1"),
    ):
        with bad_fields("product_id"):
            await alert.CreateAlert(wrong)
    with bad_fields("group_value"):
        await alert.CreateAlert(a_request(pb.ALERT_TYPE_SPEND, threshold_micros=1, group_value="ann"))
