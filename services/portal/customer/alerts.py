# SPDX-License-Identifier: Apache-2.0
"""The customer's own alerts, the addresses that they are mailed to, and what was mailed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.alert.v1.alert_pb2 import (
    ALERT_OWNER_CUSTOMER,
    ALERT_STATE_IN_ALARM,
    ALERT_STATE_OK,
    ALERT_TYPE_GRANT_EXPIRING,
    ALERT_TYPE_INVOICE_TOTAL,
    ALERT_TYPE_LOW_BALANCE,
    ALERT_TYPE_SPEND,
    DELIVERY_STATUS_DELIVERED,
    DELIVERY_STATUS_FAILED,
    SPEND_WINDOW_BILLING_PERIOD,
    SPEND_WINDOW_DAY,
    SPEND_WINDOW_MONTH,
    SPEND_WINDOW_WEEK,
    Alert,
    AlertStatus,
    AlertType,
    GetAlertStateRequest,
    ListAlertsRequest,
)
from purser.alert.v1.self_service_pb2 import (
    ArchiveOwnAlertRequest,
    ConfirmOwnDestinationRequest,
    CreateOwnAlertRequest,
    CreateOwnDestinationRequest,
    ListOwnDeliveriesRequest,
    ListOwnDestinationsRequest,
    RemoveOwnDestinationRequest,
)
from services.portal.customer.names import balance_of, credit_type_names, product_names
from services.portal.faults import WrongInput, in_words
from services.portal.i18n import N_
from services.portal.mesh import listed
from services.portal.rendering import formats_of, gettext_of, page
from services.portal.security import form_of, text_of
from services.portal.session import Viewer, viewer_of

NAME = N_("Alerts")
ROWS_MAX: Final = 500
DELIVERIES_SHOWN: Final = 20
DAYS_DIGITS_MAX: Final = 3
# The property that names a person in usage.
PERSON: Final = "user_id"
WINDOWS: Final = {
    SPEND_WINDOW_BILLING_PERIOD: N_("per usage period"),
    SPEND_WINDOW_MONTH: N_("per calendar month"),
    SPEND_WINDOW_WEEK: N_("per week"),
    SPEND_WINDOW_DAY: N_("per day"),
}
# What else an address may get, as a form offers it.
TOPICS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "invoices": (
        N_("Invoices: issued, paid, payment failed"),
        ("invoice.finalized", "invoice.paid", "invoice.payment_failed"),
    ),
    "top-ups": (
        N_("Credits: bought, bought automatically, automatic purchase stopped"),
        ("top_up.paid", "auto_top_up.ordered", "auto_top_up.stopped"),
    ),
}
ALERT_EVENTS: Final = ("alert.in_alarm", "alert.resolved")
EVENTS: Final[Mapping[str, str]] = {
    "alert.in_alarm": N_("Alarm"),
    "alert.resolved": N_("Alarm over"),
    "destination.confirm": N_("Code"),
    "invoice.finalized": N_("Invoice issued"),
    "invoice.paid": N_("Invoice paid"),
    "invoice.payment_failed": N_("Payment of an invoice failed"),
    "top_up.paid": N_("Credits bought"),
    "auto_top_up.ordered": N_("Credits bought automatically"),
    "auto_top_up.stopped": N_("Automatic purchase stopped"),
}
DONE: Final[Mapping[str, str]] = {
    "created": N_("The alert is set."),
    "archived": N_("The alert is removed."),
    "added": N_("A code was mailed to the address. Enter it below."),
    "confirmed": N_("The address is confirmed. It gets alerts from now on."),
    "removed": N_("The address is removed."),
}
# Reasons of the service that customers meet, in words for them.
REASONS: Final[Mapping[str, str]] = {
    "ALERT_NAME_TAKEN": N_("There is an alert with this name already. Choose another one."),
    "ALERT_LIMIT_REACHED": N_("There are 20 alerts already, which is the most. Remove one first."),
    "ALERT_NOT_FOUND": N_("There is no such alert any more. Open the page again."),
    "EMAIL_NOT_CONFIGURED": N_("The vendor has not set up e-mail. Ask them."),
    "DESTINATION_EXISTS": N_("This address is in the list already. Remove it first to get a new code."),
    "DESTINATION_LIMIT_REACHED": N_(
        "There may be 5 addresses, and 10 new ones a day. Remove one, or try tomorrow."
    ),
    "DESTINATION_NOT_FOUND": N_("This address was removed. Open the page again."),
    "CODE_WRONG": N_("This is not the code that was mailed. Look at the newest mail, and try again."),
    "CODE_EXPIRED": N_("The code has expired, or was wrong too often. Remove the address and add it again."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertShown:
    """An alert and its states. in_alarm: those in alarm; kind: such as "LOW_BALANCE"."""

    alert: Alert
    kind: str
    in_alarm: Sequence[AlertStatus]
    is_known: bool


async def show(request: Request) -> Response:
    """Show alerts, addresses and the last mails, with the forms for new ones."""
    viewer = viewer_of(request)
    alerts, destinations, deliveries, balance, credit_types, products = await asyncio.gather(
        _alerts(viewer),
        viewer.mesh.alert_self.ListOwnDestinations(
            ListOwnDestinationsRequest(customer_id=viewer.customer_id)
        ),
        viewer.mesh.alert_self.ListOwnDeliveries(
            ListOwnDeliveriesRequest(customer_id=viewer.customer_id, page_size=DELIVERIES_SHOWN)
        ),
        balance_of(viewer),
        credit_type_names(viewer),
        product_names(viewer),
    )
    choices = [pool.credit_type_id for pool in balance.pools] or list(credit_types)
    return page(
        request,
        "customer/alerts.html",
        alerts=alerts,
        destinations=destinations.destinations,
        deliveries=deliveries.deliveries,
        delivered=DELIVERY_STATUS_DELIVERED,
        failed=DELIVERY_STATUS_FAILED,
        names={one.alert.alert_id: one.alert.name for one in alerts},
        credit_types={one: credit_types.get(one, one) for one in choices},
        products=products,
        windows=WINDOWS,
        topics=TOPICS,
        events=EVENTS,
        done=DONE.get(request.query_params.get("done", ""), ""),
    )


async def create(request: Request) -> Response:
    """Create an alert of the kind of its form."""
    viewer, fields = viewer_of(request), await form_of(request)
    asked = CreateOwnAlertRequest(
        request_id=text_of(fields, "request_id"),
        customer_id=viewer.customer_id,
        name=text_of(fields, "name"),
        threshold_micros=_amount(request, text_of(fields, "threshold")),
        credit_type_id=text_of(fields, "credit_type_id"),
    )
    match text_of(fields, "kind"):
        case "spend":
            asked.alert_type = ALERT_TYPE_SPEND
            asked.group_value = text_of(fields, "person")
            asked.group_key = PERSON if asked.group_value else ""
            asked.window = _window(text_of(fields, "window"))
        case "expiring":
            asked.alert_type = ALERT_TYPE_GRANT_EXPIRING
            asked.expires_within_days = _days(request, text_of(fields, "days"))
        case "invoice":
            asked.alert_type = ALERT_TYPE_INVOICE_TOTAL
            asked.currency_code = text_of(fields, "currency").upper()
        case _:
            asked.alert_type = ALERT_TYPE_LOW_BALANCE
    with in_words(request, REASONS):
        await viewer.mesh.alert_self.CreateOwnAlert(asked)
    return _done("created")


async def archive(request: Request) -> Response:
    """Remove one of the customer's own alerts."""
    viewer, fields = viewer_of(request), await form_of(request)
    asked = ArchiveOwnAlertRequest(
        request_id=text_of(fields, "request_id"), alert_id=text_of(fields, "alert_id")
    )
    with in_words(request, REASONS):
        await viewer.mesh.alert_self.ArchiveOwnAlert(asked)
    return _done("archived")


async def add(request: Request) -> Response:
    """Add an address, to which a code is mailed."""
    viewer, fields = viewer_of(request), await form_of(request)
    chosen = [one for topic in fields.getlist("topic") if topic in TOPICS for one in TOPICS[str(topic)][1]]
    asked = CreateOwnDestinationRequest(
        request_id=text_of(fields, "request_id"),
        customer_id=viewer.customer_id,
        address=text_of(fields, "address"),
        event_types=[*ALERT_EVENTS, *chosen],
    )
    with in_words(request, REASONS):
        await viewer.mesh.alert_self.CreateOwnDestination(asked)
    return _done("added")


async def confirm(request: Request) -> Response:
    """Confirm an address with its code."""
    viewer, fields = viewer_of(request), await form_of(request)
    asked = ConfirmOwnDestinationRequest(
        request_id=text_of(fields, "request_id"),
        destination_id=text_of(fields, "destination_id"),
        code=text_of(fields, "code").replace(" ", ""),
    )
    with in_words(request, REASONS):
        await viewer.mesh.alert_self.ConfirmOwnDestination(asked)
    return _done("confirmed")


async def remove(request: Request) -> Response:
    """Remove an address."""
    viewer, fields = viewer_of(request), await form_of(request)
    asked = RemoveOwnDestinationRequest(
        request_id=text_of(fields, "request_id"), destination_id=text_of(fields, "destination_id")
    )
    with in_words(request, REASONS):
        await viewer.mesh.alert_self.RemoveOwnDestination(asked)
    return _done("removed")


async def _alerts(viewer: Viewer) -> list[AlertShown]:
    asked = ListAlertsRequest(customer_id=viewer.customer_id, owner=ALERT_OWNER_CUSTOMER)
    alerts: list[Alert] = await listed(viewer.mesh.alert.ListAlerts, asked, "alerts", rows_max=ROWS_MAX)
    return list(await asyncio.gather(*(_shown(viewer, one) for one in alerts)))


async def _shown(viewer: Viewer, alert: Alert) -> AlertShown:
    asked = GetAlertStateRequest(alert_id=alert.alert_id, customer_id=viewer.customer_id)
    states: list[AlertStatus] = await listed(
        viewer.mesh.alert.GetAlertState, asked, "statuses", rows_max=ROWS_MAX
    )
    return AlertShown(
        alert=alert,
        kind=AlertType.Name(alert.alert_type).removeprefix("ALERT_TYPE_"),
        in_alarm=[one for one in states if one.state == ALERT_STATE_IN_ALARM],
        is_known=any(one.state in (ALERT_STATE_IN_ALARM, ALERT_STATE_OK) for one in states),
    )


def _amount(request: Request, text: str) -> int:
    try:
        return formats_of(request).micros(text)
    except ValueError:
        raise WrongInput(gettext_of(request)(N_("Enter the amount as a number, such as 100."))) from None


def _days(request: Request, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= DAYS_DIGITS_MAX):
        raise WrongInput(gettext_of(request)(N_("Enter the days as a whole number, such as 7.")))
    return int(text)


def _window(text: str) -> Any:
    known = {str(int(one)): one for one in WINDOWS}
    return known.get(text, SPEND_WINDOW_BILLING_PERIOD)


def _done(what: str) -> Response:
    return RedirectResponse(f"/alerts?done={what}", status_code=303)


ROUTES: Sequence[Route] = (
    Route("/alerts", show),
    Route("/alerts/create", create, methods=["POST"]),
    Route("/alerts/archive", archive, methods=["POST"]),
    Route("/alerts/destinations/add", add, methods=["POST"]),
    Route("/alerts/destinations/confirm", confirm, methods=["POST"]),
    Route("/alerts/destinations/remove", remove, methods=["POST"]),
)
