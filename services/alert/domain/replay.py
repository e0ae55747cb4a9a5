# SPDX-License-Identifier: Apache-2.0
"""Replays: deliveries of one endpoint that become pending again, and events that it missed, a few at a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from meshkit.ids import first_id
from services.alert.domain.delivery import GIVE_UP_AFTER, DeliveryId
from services.alert.domain.endpoint import WebhookEndpoint, WebhookEndpointId
from services.alert.domain.event import EventType

ReplayId = NewType("ReplayId", str)

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is still to be done: first the deliveries between two ids, then the events between two positions.

    event_types: of the deliveries; empty: all. failed_only: leaves out those that were accepted. start_time, end_time:
    when the deliveries were created.
    """

    replay_id: ReplayId
    webhook_endpoint_id: WebhookEndpointId
    event_types: tuple[EventType, ...]
    failed_only: bool
    start_time: datetime
    end_time: datetime
    after_delivery_id: DeliveryId
    until_delivery_id: DeliveryId
    after_position: int
    until_position: int
    create_time: datetime
    finish_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaysStarted:
    """The stored response of ReplayDeliveries: the endpoints to which it posts again."""

    webhook_endpoint_ids: tuple[WebhookEndpointId, ...]


def replay_of_deliveries(
    replay_id: ReplayId,
    webhook_endpoint_id: WebhookEndpointId,
    *,
    event_types: tuple[EventType, ...],
    failed_only: bool,
    start_time: datetime,
    end_time: datetime | None,
    at: datetime,
) -> Replay:
    """Return the replay of what was created from start_time until before end_time; None: until now."""
    return Replay(
        replay_id=replay_id,
        webhook_endpoint_id=webhook_endpoint_id,
        event_types=event_types,
        failed_only=failed_only,
        start_time=start_time,
        end_time=at + _MILLISECOND if end_time is None else end_time,
        after_delivery_id=DeliveryId(first_id("dlv", start_time)),
        # Its id is made after the time of a delivery was read.
        until_delivery_id=DeliveryId(first_id("dlv", at + _MILLISECOND)),
        after_position=0,
        until_position=0,
        create_time=at,
    )


def replay_of_missed(
    replay_id: ReplayId,
    endpoint: WebhookEndpoint,
    *,
    failing_since: datetime | None,
    after_position: int,
    until_position: int,
    at: datetime,
) -> Replay:
    """Return the replay of what an endpoint missed that was disabled: what failed, and the events since then.

    What was pending when it was disabled may be two days older, and so may what it refused first.
    """
    assert endpoint.disable_time is not None
    since = min(endpoint.disable_time, failing_since or endpoint.disable_time) - GIVE_UP_AFTER
    return Replay(
        replay_id=replay_id,
        webhook_endpoint_id=endpoint.webhook_endpoint_id,
        event_types=(),
        failed_only=True,
        start_time=since,
        end_time=at + _MILLISECOND,
        after_delivery_id=DeliveryId(first_id("dlv", since)),
        until_delivery_id=DeliveryId(first_id("dlv", at + _MILLISECOND)),
        after_position=after_position,
        until_position=until_position,
        create_time=at,
    )
