# SPDX-License-Identifier: Apache-2.0
"""The faults of Alert, one class per reason in alert.proto."""

from meshkit.errors import AlreadyExists, FailedPrecondition, NotFound, ResourceExhausted


class AlertNotFound(NotFound):
    """No alert has the id."""

    reason = "ALERT_NOT_FOUND"

    def __init__(self, *, alert_id: str) -> None:
        super().__init__(f"alert {alert_id!r} does not exist; ListAlerts lists all", alert_id=alert_id)


class AlertNameTaken(AlreadyExists):
    """Another alert on the same customer, or on every customer, has the name and is not archived."""

    reason = "ALERT_NAME_TAKEN"

    def __init__(self, *, name: str, alert_id: str) -> None:
        super().__init__(
            f"alert {alert_id!r} has the name {name!r} already; choose another one, or archive that alert",
            name=name,
            alert_id=alert_id,
        )


class AlertArchived(FailedPrecondition):
    """The alert has ended for good."""

    reason = "ALERT_ARCHIVED"

    def __init__(self, *, alert_id: str) -> None:
        super().__init__(
            f"alert {alert_id!r} is archived and does not change any more; create another one",
            alert_id=alert_id,
        )


class AlertStateNotFound(NotFound):
    """The alert has no state for the customer and group value."""

    reason = "ALERT_STATE_NOT_FOUND"

    def __init__(self, *, alert_id: str, customer_id: str, group_value: str) -> None:
        super().__init__(
            f"alert {alert_id!r} has no state for customer {customer_id!r} and group value {group_value!r};"
            " GetAlertState lists all",
            alert_id=alert_id,
            customer_id=customer_id,
            group_value=group_value,
        )


class WebhookTargetRefused(FailedPrecondition):
    """The host has an address that notifications are not posted to, or no address.

    An address is named only if the caller named it: what a name resolves to here may be internal. `address` and
    `problem` are for the operator's log.
    """

    reason = "WEBHOOK_TARGET_REFUSED"

    def __init__(self, *, host: str, address: str, problem: str) -> None:
        self.address, self.problem = address, problem
        advice = (
            "use a public address, or ask the operator to allow private targets"
            if address
            else "check its name"
        )
        if address not in (host, ""):
            address, problem = "", "has an address that is not public"
        super().__init__(f"host {host!r} {problem}; {advice}", host=host, address=address, problem=problem)


class WebhookEndpointNotFound(NotFound):
    """No endpoint has the id."""

    reason = "WEBHOOK_ENDPOINT_NOT_FOUND"

    def __init__(self, *, webhook_endpoint_id: str) -> None:
        super().__init__(
            f"webhook endpoint {webhook_endpoint_id!r} does not exist; ListWebhookEndpoints lists all",
            webhook_endpoint_id=webhook_endpoint_id,
        )


class WebhookSecretUnreadable(FailedPrecondition):
    """No configured key decrypts a stored secret: its key is missing, or its row was changed by other means.

    key_id: of the key that encrypted it.
    """

    reason = "WEBHOOK_SECRET_UNREADABLE"

    def __init__(self, *, webhook_endpoint_id: str, key_id: str) -> None:
        super().__init__(
            f"a secret of webhook endpoint {webhook_endpoint_id!r} cannot be decrypted; put key {key_id!r} back into"
            " PURSER_ALERT_SECRET_KEYS, or rotate the secret",
            webhook_endpoint_id=webhook_endpoint_id,
            key_id=key_id,
        )


class EmailNotConfigured(FailedPrecondition):
    """Alert has no mail server."""

    reason = "EMAIL_NOT_CONFIGURED"

    def __init__(self) -> None:
        super().__init__(
            "Alert has no mail server, so an endpoint cannot have the kind EMAIL; the operator of Alert sets"
            " PURSER_ALERT_SMTP_HOST and PURSER_ALERT_SMTP_SENDER"
        )


class WebhookEndpointKindMismatch(FailedPrecondition):
    """The kind of the endpoint does not have what is to be changed: "url", "headers", "recipients" or "secret"."""

    reason = "WEBHOOK_ENDPOINT_KIND_MISMATCH"

    def __init__(self, *, webhook_endpoint_id: str, kind: str, field: str) -> None:
        super().__init__(
            f"webhook endpoint {webhook_endpoint_id!r} is of the kind {kind}, which has no {field}",
            webhook_endpoint_id=webhook_endpoint_id,
            kind=kind,
            field=field,
        )


class WebhookEndpointDisabled(FailedPrecondition):
    """Nothing is posted to a disabled endpoint, not even a replay."""

    reason = "WEBHOOK_ENDPOINT_DISABLED"

    def __init__(self, *, webhook_endpoint_id: str) -> None:
        super().__init__(
            f"webhook endpoint {webhook_endpoint_id!r} is disabled; EnableWebhookEndpoint posts what it missed",
            webhook_endpoint_id=webhook_endpoint_id,
        )


class DeliveryNotFound(NotFound):
    """No delivery has the id."""

    reason = "DELIVERY_NOT_FOUND"

    def __init__(self, *, delivery_id: str) -> None:
        super().__init__(
            f"delivery {delivery_id!r} does not exist; ListDeliveries lists all", delivery_id=delivery_id
        )


class DeliveryStillPending(FailedPrecondition):
    """The delivery is not finished; it is retried automatically."""

    reason = "DELIVERY_STILL_PENDING"

    def __init__(self, *, delivery_id: str) -> None:
        super().__init__(
            f"delivery {delivery_id!r} is still pending and will be retried automatically",
            delivery_id=delivery_id,
        )


class EventCursorExpired(FailedPrecondition):
    """Events after the cursor, or since the start time, are not kept any more."""

    reason = "EVENT_CURSOR_EXPIRED"

    def __init__(self) -> None:
        super().__init__(
            "events after this point were deleted, because they are kept for 90 days; begin anew without a cursor,"
            " and compare what the events are about"
        )


class EventCursorUnknown(FailedPrecondition):
    """The cursor lies beyond the newest event."""

    reason = "EVENT_CURSOR_UNKNOWN"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is newer than every event, as after the database was restored from a backup; begin anew with a"
            " start_time before that"
        )


class TooManyWatches(ResourceExhausted):
    """The server serves as many WatchEvents as it can."""

    reason = "TOO_MANY_WATCHES"

    def __init__(self) -> None:
        super().__init__("the server serves as many WatchEvents as it can; ask ListEvents, or retry later")


class AlertLimitReached(FailedPrecondition):
    """The customer has as many alerts of its own as it may have."""

    reason = "ALERT_LIMIT_REACHED"

    def __init__(self, *, limit: int) -> None:
        super().__init__(
            f"there are {limit} alerts already, which is the most; archive one first", limit=str(limit)
        )


class DestinationNotFound(NotFound):
    """No destination has the id, or it was removed."""

    reason = "DESTINATION_NOT_FOUND"

    def __init__(self, *, destination_id: str) -> None:
        super().__init__(
            f"destination {destination_id!r} does not exist; ListOwnDestinations lists all",
            destination_id=destination_id,
        )


class DestinationExists(FailedPrecondition):
    """The address is a destination of the customer already."""

    reason = "DESTINATION_EXISTS"

    def __init__(self, *, address: str) -> None:
        super().__init__(
            f"{address!r} is a destination already; remove it first, to get a new code", address=address
        )


class DestinationLimitReached(FailedPrecondition):
    """The customer has, or has created, as many destinations as it may."""

    reason = "DESTINATION_LIMIT_REACHED"

    def __init__(self, *, limit: str) -> None:
        super().__init__(f"there may be {limit} destinations; remove one, or try again later", limit=limit)


class CodeWrong(FailedPrecondition):
    """The code is not the one that was mailed."""

    reason = "CODE_WRONG"

    def __init__(self, *, destination_id: str, tries_left: str) -> None:
        super().__init__(
            f"the code is not the one that was mailed; {tries_left} more tries",
            destination_id=destination_id,
            tries_left=tries_left,
        )


class CodeExpired(FailedPrecondition):
    """The code is too old, or was entered wrongly too often."""

    reason = "CODE_EXPIRED"

    def __init__(self, *, destination_id: str) -> None:
        super().__init__(
            "the code has expired, or was entered wrongly too often; remove the destination and create it again",
            destination_id=destination_id,
        )
