# SPDX-License-Identifier: Apache-2.0
"""How an operator acts: a form, a page that shows the effect, and one request, however often it is sent.

What can be done is in acts/. Services decide, and record it with the reason.
"""

from collections.abc import Mapping, Sequence

from grpc.aio import AioRpcError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.portal.faults import Fault, away_text, fault_of
from services.portal.operator.acts import ACTS, Act, Doing
from services.portal.operator.acts.fields import Problems, Values, read
from services.portal.operator.showing import may_act, names_of, show
from services.portal.rendering import formats_of
from services.portal.security import form_of
from services.portal.session import viewer_of

NAME = ""
CHECKED = "checked"


async def ask(request: Request) -> Response:
    """Show the form of an act or, once it is filled in, what the act would do."""
    act, typed = _act(request), dict(request.query_params)
    if CHECKED not in typed and act.has_questions:
        return _form(request, act, typed, {})
    values, problems = read(act.fields, typed, formats_of(request).zone)
    if problems:
        return _form(request, act, typed, problems)
    return await _confirmation(request, act, typed, values)


async def carry_out(request: Request) -> Response:
    """Do it. Sent again, it is answered with what it did the first time."""
    act = _act(request)
    typed = {name: str(value) for name, value in (await form_of(request)).items()}
    values, problems = read(act.fields, typed, formats_of(request).zone)
    if problems:
        return _form(request, act, typed, problems)
    doing = await _doing(request, values)
    try:
        done = await act.carry_out(doing, typed.get("request_id", ""))
    except AioRpcError as error:
        fault = fault_of(error)
        if fault.status in (401, 403):
            raise
        return await _confirmation(
            request, act, typed, values, fault=fault, problem=fault.message or away_text(error)
        )
    return show(request, "done.html", act=act, facts=done, back=act.back(values))


def _act(request: Request) -> Act:
    if not may_act(viewer_of(request)):
        raise HTTPException(403)
    act = ACTS.get(request.path_params["act"])
    if act is None:
        raise HTTPException(404)
    return act


async def _doing(request: Request, values: Values) -> Doing:
    viewer = viewer_of(request)
    return Doing(viewer.mesh, viewer.subject, values, formats_of(request), await names_of(viewer.mesh))


def _form(request: Request, act: Act, typed: Mapping[str, str], problems: Problems) -> Response:
    return show(
        request,
        "act.html",
        status=400 if problems else 200,
        act=act,
        typed=typed,
        problems=problems,
        zone_name=formats_of(request).zone.key,
    )


async def _confirmation(
    request: Request,
    act: Act,
    typed: Mapping[str, str],
    values: Values,
    *,
    fault: Fault | None = None,
    problem: str = "",
) -> Response:
    """Show what an act would do. After a fault its request_id stays: nobody knows whether the service has done it."""
    try:
        effect = await act.effect(await _doing(request, values))
    except AioRpcError:
        if fault is None:
            raise
        effect = ()  # the form is what matters now: it has the request_id
    return show(
        request,
        "confirm.html",
        status=fault.status if fault else 200,
        act=act,
        typed={field.name: typed.get(field.name, "") for field in act.fields},
        request_id_before=typed.get("request_id", "") if fault else "",
        effect=effect,
        problem=problem,
        problems=fault.fields if fault else {},
        back=act.back(values),
    )


ROUTES: Sequence[Route] = (
    Route("/operator/do/{act}", ask),
    Route("/operator/do/{act}", carry_out, methods=["POST"]),
)
