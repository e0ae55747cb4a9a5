# SPDX-License-Identifier: Apache-2.0
"""The types of alerts: which fields each has, its default rearm level, and what the Ledger hears."""

import pytest

from purser.alert.v1 import alert_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as ledger_pb
from tests.support.alert import ACME, AlertStub
from tests.support.faults import bad_fields
from tests.support.ledger_peer import RecordingLedger

PERCENT = 1_000_000


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
    made = (await alert.CreateAlert(a_request(alert_type, threshold_micros=threshold))).alert

    (heard,) = ledger.told_of(ledger_pb.WatchThresholdRequest)
    assert (made.alert_type, made.threshold_micros, made.rearm_micros) == (alert_type, threshold, rearm)
    assert (heard.watch_kind, heard.threshold_micros, heard.rearm_micros) == (kind, threshold, rearm)


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


async def test_an_updated_percentage_gets_its_default_rearm_level(
    alert: AlertStub, ledger: RecordingLedger
) -> None:
    made = (await alert.CreateAlert(a_request(pb.ALERT_TYPE_LOW_PERCENTAGE, threshold_micros=PERCENT))).alert
    update = pb.UpdateAlertRequest(request_id="u1", alert_id=made.alert_id, threshold_micros=40 * PERCENT)

    changed = (await alert.UpdateAlert(update)).alert

    assert changed.rearm_micros == 42 * PERCENT
    assert [one.version for one in ledger.told_of(ledger_pb.WatchThresholdRequest)] == [1, 2]
