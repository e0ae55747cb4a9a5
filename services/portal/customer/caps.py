# SPDX-License-Identifier: Apache-2.0
"""Spend caps: the vendor's, which can be viewed, and the customer's own, which can be set, changed and removed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.ledger.v1.ledger_admin_pb2 import (
    CAP_WINDOW_BILLING_PERIOD,
    CAP_WINDOW_DAY,
    CAP_WINDOW_MONTH,
    CAP_WINDOW_ROLLING,
    CAP_WINDOW_WEEK,
    CapGroup,
    ListCapGroupsRequest,
    ListSpendCapsRequest,
    SpendCap,
)
from purser.ledger.v1.ledger_pb2 import (
    CAP_OWNER_CUSTOMER,
    CAP_SCOPE_CUSTOMER,
    CAP_SCOPE_GROUP,
    CAP_SCOPE_GROUP_VALUE,
    CAP_SCOPE_PRODUCT,
)
from purser.ledger.v1.self_service_pb2 import RemoveOwnSpendCapRequest, SetOwnSpendCapRequest
from purser.ledger.v1.usage_pb2 import ListTopSpendersRequest
from services.portal.customer.names import balance_of, credit_type_names, product_names
from services.portal.faults import WrongInput
from services.portal.i18n import N_
from services.portal.mesh import listed
from services.portal.rendering import formats_of, gettext_of, page
from services.portal.security import form_of, text_of
from services.portal.session import Viewer, viewer_of

NAME = N_("Caps")
ROWS_MAX: Final = 2_000
SPENDERS_MAX: Final = 100
# The property that names a person, unless the caps that there are name others.
PERSON: Final = "user_id"
WINDOWS: Final = {
    CAP_WINDOW_BILLING_PERIOD: N_("each usage period"),
    CAP_WINDOW_MONTH: N_("each calendar month"),
    CAP_WINDOW_WEEK: N_("each week"),
    CAP_WINDOW_DAY: N_("each day"),
    CAP_WINDOW_ROLLING: N_("in any %(hours)s hours"),
}
DONE: Final = {"set": N_("The cap is set."), "removed": N_("The cap is removed.")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCap:
    """A cap in words. spent_micros: what counts against it now, where that is known."""

    cap: SpendCap
    who: str
    spent_micros: int | None


async def show(request: Request) -> Response:
    """Show all caps, and the form for a new one."""
    viewer = viewer_of(request)
    caps, time_zone = await _caps(viewer)
    credit_types, products, groups, balance = await asyncio.gather(
        credit_type_names(viewer), product_names(viewer), _groups(viewer), balance_of(viewer)
    )
    spent = await _spent(viewer, caps)
    names = _Names(gettext_of(request), products, groups)
    shown = [ShownCap(cap=cap, who=names.who(cap), spent_micros=spent.get(_key(cap))) for cap in caps]
    return page(
        request,
        "customer/caps.html",
        own=[one for one in shown if one.cap.owner == CAP_OWNER_CUSTOMER],
        vendors=[one for one in shown if one.cap.owner != CAP_OWNER_CUSTOMER],
        windows=WINDOWS,
        credit_types=credit_types,
        choices=[pool.credit_type_id for pool in balance.pools],
        products=products,
        people=await _people(viewer, [pool.credit_type_id for pool in balance.pools]),
        group_keys=sorted({PERSON, *(cap.group_key for cap in caps if cap.group_key)}),
        time_zone=time_zone,
        done=DONE.get(request.query_params.get("done", ""), ""),
    )


async def set_cap(request: Request) -> Response:
    """Set a new cap, or another limit of one that there is."""
    viewer, fields = viewer_of(request), await form_of(request)
    asked = SetOwnSpendCapRequest(
        request_id=text_of(fields, "request_id"),
        customer=viewer.customer_id,
        credit_type_id=text_of(fields, "credit_type_id"),
        limit_micros=_limit(request, text_of(fields, "limit")),
        window=_window(fields),
        window_hours=_hours(request, fields),
    )
    match text_of(fields, "who"):
        case "everyone":
            asked.scope = CAP_SCOPE_CUSTOMER
        case "product":
            asked.scope, asked.product_id = CAP_SCOPE_PRODUCT, text_of(fields, "product_id")
        case "group":
            asked.scope, asked.cap_group_id = CAP_SCOPE_GROUP, text_of(fields, "cap_group_id")
        case who:
            asked.scope, asked.group_key = CAP_SCOPE_GROUP_VALUE, text_of(fields, "group_key") or PERSON
            asked.group_value = _person(request, fields) if who == "person" else ""
    await viewer.mesh.ledger_self.SetOwnSpendCap(asked)
    return RedirectResponse("/caps?done=set", status_code=303)


async def remove(request: Request) -> Response:
    """Remove one of the customer's own caps."""
    viewer, fields = viewer_of(request), await form_of(request)
    await viewer.mesh.ledger_self.RemoveOwnSpendCap(
        RemoveOwnSpendCapRequest(
            request_id=text_of(fields, "request_id"),
            customer=viewer.customer_id,
            spend_cap_id=text_of(fields, "spend_cap_id"),
        )
    )
    return RedirectResponse("/caps?done=removed", status_code=303)


class _Names:
    """Says in words whom a cap limits."""

    def __init__(self, translate: Any, products: Mapping[str, str], groups: Mapping[str, CapGroup]) -> None:
        self._translate = translate
        self._products = products
        self._groups = groups

    def who(self, cap: SpendCap) -> str:
        if cap.scope == CAP_SCOPE_CUSTOMER:
            return str(self._translate(N_("Everyone together")))
        if cap.scope == CAP_SCOPE_PRODUCT:
            return self._products.get(cap.product_id, cap.product_id)
        if cap.scope == CAP_SCOPE_GROUP:
            group = self._groups.get(cap.cap_group_id)
            return cap.cap_group_id if group is None else group.name
        return cap.group_value or str(self._translate(N_("Each person without a cap of their own")))


async def _caps(viewer: Viewer) -> tuple[list[SpendCap], str]:
    first = await viewer.mesh.ledger_admin.ListSpendCaps(
        ListSpendCapsRequest(customer=viewer.customer_id, page_size=1)
    )
    request = ListSpendCapsRequest(customer=viewer.customer_id)
    caps = await listed(viewer.mesh.ledger_admin.ListSpendCaps, request, "spend_caps", rows_max=ROWS_MAX)
    return caps, first.time_zone


async def _groups(viewer: Viewer) -> dict[str, CapGroup]:
    request = ListCapGroupsRequest(customer=viewer.customer_id)
    groups = await listed(viewer.mesh.ledger_admin.ListCapGroups, request, "cap_groups", rows_max=ROWS_MAX)
    return {one.cap_group_id: one for one in groups}


def _key(cap: SpendCap) -> tuple[str, str, str]:
    """Return under which key `_spent` has what counts against a cap; of windows that it does not know, none."""
    if cap.window != CAP_WINDOW_BILLING_PERIOD or cap.scope != CAP_SCOPE_GROUP_VALUE or not cap.group_value:
        return ("", "", "")
    return (cap.credit_type_id, cap.group_key, cap.group_value)


async def _spent(viewer: Viewer, caps: Sequence[SpendCap]) -> dict[tuple[str, str, str], int]:
    """Return what the largest spenders of the usage period have spent, for the caps on one of them."""
    wanted = {key[:2] for key in map(_key, caps) if key[0]}
    found = {}
    for credit_type_id, group_key in sorted(wanted):
        for spender in await _spenders(viewer, credit_type_id, group_key):
            found[credit_type_id, group_key, spender.group_value] = spender.credits_micros
    return found


async def _people(viewer: Viewer, credit_type_ids: Sequence[str]) -> list[str]:
    """Return the people who have spent most, as suggestions for the form."""
    found = [
        spender.group_value
        for credit_type_id in credit_type_ids
        for spender in await _spenders(viewer, credit_type_id, PERSON)
    ]
    return list(dict.fromkeys(found))


async def _spenders(viewer: Viewer, credit_type_id: str, group_key: str) -> Sequence[Any]:
    answer = await viewer.mesh.usage.ListTopSpenders(
        ListTopSpendersRequest(
            customer=viewer.customer_id,
            credit_type_id=credit_type_id,
            group_key=group_key,
            spenders_max=SPENDERS_MAX,
        )
    )
    return answer.spenders


def _window(fields: Mapping[str, Any]) -> Any:
    """Return the window that was chosen; a usage period unless it is one of WINDOWS."""
    text = text_of(fields, "window")
    return next((one for one in WINDOWS if str(int(one)) == text), CAP_WINDOW_BILLING_PERIOD)


def _limit(request: Request, text: str) -> int:
    try:
        micros = formats_of(request).micros(text)
    except ValueError:
        micros = -1
    if micros < 0:
        raise WrongInput(gettext_of(request)(N_("The limit must be a number of credits, 0 or more.")))
    return micros


def _hours(request: Request, fields: Mapping[str, Any]) -> int:
    if text_of(fields, "window") != str(int(CAP_WINDOW_ROLLING)):
        return 0
    text = text_of(fields, "hours")
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 168):
        raise WrongInput(gettext_of(request)(N_("The hours must be a whole number from 1 to 168.")))
    return int(text)


def _person(request: Request, fields: Mapping[str, Any]) -> str:
    person = text_of(fields, "group_value")
    if not person:
        raise WrongInput(gettext_of(request)(N_("Enter whom the cap limits.")))
    return person


ROUTES: Sequence[Route] = (
    Route("/caps", show),
    Route("/caps/set", set_cap, methods=["POST"]),
    Route("/caps/remove", remove, methods=["POST"]),
)
