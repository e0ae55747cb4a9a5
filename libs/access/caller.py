# SPDX-License-Identifier: Apache-2.0
"""The caller of the present call: set for each call before its operation begins, read by operations and stores."""

from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Protocol

from meshkit.errors import PermissionDenied


class TokenRestricted(PermissionDenied):
    """The call concerns more than one customer, and the token is restricted to customers."""

    reason = "TOKEN_RESTRICTED"

    def __init__(self, *, rpc: str) -> None:
        super().__init__(
            f"this call of {rpc} concerns other customers than those to which the token is restricted",
            rpc=rpc,
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """An identity and what it may do.

    subject: who it is, for the records: the token's `sub`, "service:contract", or "clock". roles: in lower case, such
    as "gate". service: the name in the certificate of a service, otherwise empty. customer_ids: the only customers it
    may see; None: all.
    """

    subject: str
    roles: frozenset[str] = frozenset()
    service: str = ""
    customer_ids: frozenset[str] | None = None

    def may_see(self, customer_id: str) -> bool:
        """Whether the caller may see this customer and what belongs to it. If not, it is answered as if unknown."""
        return self.customer_ids is None or customer_id in self.customer_ids


# Who signs what falls due without any call. It is restricted to no customer.
CLOCK = Caller("clock")


class Address(Protocol):
    """The part of a gRPC context that tells the caller's address."""

    def peer(self) -> str:
        """Return gRPC's text, such as "ipv4:127.0.0.1:50112"."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """The present call. rpc: its full name, such as "/purser.ledger.v1.LedgerService/Authorize"; empty: no call.

    request: its message, if the rpc is recorded (libs/audit) and the message has been read.
    """

    caller: Caller
    rpc: str = ""
    source: Address | None = None
    request: Any = None

    @property
    def address(self) -> str:
        """The caller's address as gRPC knows it, such as "ipv4:127.0.0.1:50112"; empty: no call."""
        return "" if self.source is None else self.source.peer()


_NO_CALL = Call(CLOCK)
_call: ContextVar[Call] = ContextVar("call", default=_NO_CALL)


def begin(call: Call) -> None:
    """Set the call, at the start of its task."""
    _call.set(call)


def with_request(request: Any) -> None:
    """Add its request to the present call."""
    _call.set(replace(_call.get(), request=request))


def no_call() -> None:
    """Sign what follows as the clock's, in a task that outlives the call that started it."""
    _call.set(_NO_CALL)


def current_call() -> Call:
    """Return the present call; outside of calls, one of the clock."""
    return _call.get()


def require_all_customers() -> None:
    """Raise TokenRestricted if the present caller may not see all customers: it must name one that it may see."""
    call = _call.get()
    if call.caller.customer_ids is not None:
        raise TokenRestricted(rpc=call.rpc)


def require_visible(customer_id: str) -> None:
    """Raise TokenRestricted if the present caller may not see the customer, whether it exists or not."""
    call = _call.get()
    if not call.caller.may_see(customer_id):
        raise TokenRestricted(rpc=call.rpc)


def current_caller() -> Caller:
    """Return the caller of the present call; outside of calls, the clock."""
    return _call.get().caller
