# SPDX-License-Identifier: Apache-2.0
"""What an act of an operator is: its fields, what to show before and after it, and its request."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from services.portal.formats import Formats
from services.portal.mesh import Mesh
from services.portal.operator.acts.fields import Field, Kind, Values
from services.portal.operator.showing import Names

Facts = Sequence[tuple[str, str]]
# How many rows of a list are searched for the one that an act is about.
ROWS_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Doing:
    """One act under way. subject: of the viewer, whom the services record as the actor."""

    mesh: Mesh
    subject: str
    values: Values
    formats: Formats
    names: Names

    def credits(self, micros: int) -> str:
        return self.formats.quantity(micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that an operator does. effect: what it would do. carry_out: does it, with a request_id.

    back: the page to go to afterwards.
    """

    path: str
    title: str
    button: str
    fields: Sequence[Field]
    effect: Callable[[Doing], Awaitable[Facts]]
    carry_out: Callable[[Doing, str], Awaitable[Facts]]
    back: Callable[[Values], str]
    is_danger: bool = False

    @property
    def has_questions(self) -> bool:
        return any(field.is_asked for field in self.fields)


CUSTOMER: Final = Field(name="customer", kind=Kind.ID)
REASON: Final = Field(name="reason", label="Reason", hint="At most 200 characters. The audit keeps it.")


def customer_page(tab: str) -> Callable[[Values], str]:
    """Return the address of a page of the act's customer."""
    return lambda values: f"/operator/customers/{values['customer']}/{tab}".rstrip("/")
