# SPDX-License-Identifier: Apache-2.0
"""What went wrong, as a page that says what to do. The services' own texts are shown as they are."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc import StatusCode
from grpc.aio import AioRpcError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from meshkit.rpc.status import DETAILS_KEY
from services.portal.i18n import N_
from services.portal.mesh import service_of
from services.portal.rendering import gettext_of, page, portal_of
from services.portal.security import Forbidden
from services.portal.session import NotSignedIn, Viewer

log = structlog.get_logger(__name__)

_STATUSES: Final[Mapping[StatusCode, int]] = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.FAILED_PRECONDITION: 409,
    StatusCode.ABORTED: 409,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.RESOURCE_EXHAUSTED: 503,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 503,
    StatusCode.CANCELLED: 503,
    StatusCode.UNIMPLEMENTED: 501,
}
_AWAY: Final = N_(
    "A part of the system does not answer at the moment. Nothing is lost: try again in a minute."
)
_OURS: Final = N_(
    "Something went wrong on our side, and it was logged. Try again; if it stays so, tell the vendor."
)
_TEXTS: Final[Mapping[int, str]] = {
    403: N_("This page is not for your link. Open the link that you received for it."),
    404: N_("There is no such page. Choose one from the navigation."),
    405: N_("This page cannot do that. Choose another one from the navigation."),
}
_FORBIDDEN: Final = N_(
    "This form is out of date, or another site sent it. Open the page again and repeat it there."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a service answered. status: of HTTP. reason: such as "SEATS_BELOW_ZERO"; empty if it gave none.

    message: in English, from the service; empty if it is to be hidden. fields: what is wrong with each, by its name.
    """

    status: int
    reason: str
    message: str
    fields: Mapping[str, str]


def fault_of(error: AioRpcError) -> Fault:
    """Return what the error of a call says."""
    info, request = ErrorInfo(), BadRequest()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                detail.Unpack(info) or detail.Unpack(request)
    status = _STATUSES.get(error.code(), 500)
    return Fault(
        status=status,
        reason=info.reason,
        message=(error.details() or "") if status < 500 else "",
        fields={one.field: one.description for one in request.field_violations},
    )


def away_text(error: AioRpcError) -> str:
    """Return what to tell operators whose service gave no answer."""
    return (
        f"{service_of(error).capitalize()} does not answer at the moment. Nothing is lost: try again in a minute, and"
        " see the page Mesh. A form that is sent again from here has one effect."
    )


class WrongInput(Exception):
    """What was entered in a form cannot be done. text: why and what to do about it, translated. status: of HTTP."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


@contextmanager
def in_words(request: Request, reasons: Mapping[str, str]) -> Iterator[None]:
    """Tell a reason that customers meet in their words: the calls of the block raise WrongInput for it.

    reasons: texts by reason, to be translated. Any other error goes on as it is.
    """
    try:
        yield
    except AioRpcError as error:
        fault = fault_of(error)
        if fault.reason not in reasons:
            raise
        raise WrongInput(gettext_of(request)(reasons[fault.reason]), status=fault.status) from error


async def _wrong_input(request: Request, error: WrongInput) -> Response:
    return _fault_page(request, error.status, error.text)


async def _rpc_failed(request: Request, error: AioRpcError) -> Response:
    if error.code() is StatusCode.UNAUTHENTICATED:
        return await _not_signed_in(request, NotSignedIn("expired"))
    fault = fault_of(error)
    if fault.status >= 500:
        log.warning("service_failed", path=request.url.path, code=error.code().name, reason=fault.reason)
    translated = gettext_of(request)
    message = fault.message or translated(_AWAY if fault.status == 503 else _OURS)
    viewer: Viewer | None = getattr(request.state, "viewer", None)
    if fault.status == 503 and viewer is not None and viewer.is_operator:
        message = away_text(error)
    return _fault_page(request, fault.status, message, fault.fields)


async def _not_signed_in(request: Request, error: NotSignedIn) -> Response:
    address = f"/enter?problem={error.problem}" if error.problem else "/enter"
    if "hx-request" in request.headers:
        return PlainTextResponse("", status_code=401, headers={"hx-redirect": address})
    return RedirectResponse(address, status_code=303)


async def _forbidden(request: Request, error: Forbidden) -> Response:
    log.warning("form_refused", path=request.url.path)
    return _fault_page(request, 403, gettext_of(request)(_FORBIDDEN))


async def _http_failed(request: Request, error: HTTPException) -> Response:
    with suppress(NotSignedIn):  # no page was found, so no guard has asked who looks
        request.state.viewer = await portal_of(request).sessions.viewer(request)
    text = _TEXTS.get(error.status_code)
    return _fault_page(request, error.status_code, gettext_of(request)(text) if text else error.detail)


async def _failed(request: Request, error: Exception) -> Response:
    return _fault_page(request, 500, gettext_of(request)(_OURS))


def _fault_page(
    request: Request, status: int, message: str, fields: Mapping[str, str] | None = None
) -> Response:
    return page(request, "fault.html", status=status, message=message, fields=fields or {}, code=status)


HANDLERS: Final[Mapping[Any, Callable[..., Any]]] = {
    AioRpcError: _rpc_failed,
    NotSignedIn: _not_signed_in,
    Forbidden: _forbidden,
    WrongInput: _wrong_input,
    HTTPException: _http_failed,
    Exception: _failed,
}
