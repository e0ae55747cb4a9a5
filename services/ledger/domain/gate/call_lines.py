# SPDX-License-Identifier: Apache-2.0
"""The lines of a call: what each of them asks for, or says of a line of a hold. Source: as of lines.py."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.quantity import Quantity
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.errors import CreditTypesDiffer, LineNotHeld, of_line, property_problem
from services.ledger.domain.gate.commands import CallLine
from services.ledger.domain.gate.decision import Ask, DenialReason
from services.ledger.domain.gate.hold import Hold, name_of_line, names_of
from services.ledger.domain.gate.standing import CustomerRecord, PriceBook, ask_of
from services.ledger.domain.rating.dimensions import dimension_values
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.rating.properties import PropertyProblem

LINES_MAX = 20

_Name = tuple[ProductId, tuple[tuple[str, str], ...]]


def asks_of(
    customer: CustomerRecord,
    books: Sequence[PriceBook],
    lines: Sequence[CallLine],
    group_values: Mapping[str, str],
    *,
    at: datetime,
) -> tuple[Ask, ...] | DenialReason:
    """Return the ask of each line, or the reason for an earlier denial: of the first line that has one.

    books: of the products of the lines. Raises RateNotFound, InvalidFields, CreditTypesDiffer.
    """
    asks: list[Ask] = []
    for number, (book, line) in enumerate(zip(books, lines, strict=True)):
        with of_line(number):
            ask = ask_of(customer, book, line.quantity, group_values, line.properties, at=at)
        if isinstance(ask, DenialReason):
            return ask
        asks.append(ask)
    _require_distinct([_name_of(ask.product_id, ask.entitlement.dimension_values) for ask in asks])
    credit_type_ids = {ask.entitlement.credit_type_id for ask in asks}
    if len(credit_type_ids) > 1:
        raise CreditTypesDiffer(credit_type_ids=credit_type_ids)
    return tuple(asks)


def used_of(
    hold: Hold, lines: Sequence[CallLine], products: Mapping[ProductId, UsageProduct]
) -> list[Quantity]:
    """Return what lines of a call say of each line of a hold, in the hold's order; 0 for those that they do not name.

    Raises LineNotHeld, InvalidFields.
    """
    places = {_name_of(part.product_id, part.dimension_values): n for n, part in enumerate(hold.parts)}
    used = [Quantity(0) for _ in hold.parts]
    names = []
    for number, line in enumerate(lines):
        try:
            values = dimension_values(products[line.product_id].dimensions, line.properties)
        except PropertyProblem as problem:
            with of_line(number):
                raise property_problem(problem) from problem
        name = _name_of(line.product_id, values)
        if name not in places:
            named = name_of_line(line.product_id, values)
            raise LineNotHeld(hold_id=hold.hold_id, line=named, lines=names_of(hold))
        names.append(name)
        used[places[name]] = line.quantity
    _require_distinct(names)
    return used


def _name_of(product_id: ProductId, values: Mapping[str, str]) -> _Name:
    return product_id, tuple(sorted(values.items()))


def _require_distinct(names: Sequence[_Name]) -> None:
    violations = [
        FieldViolation(
            f"lines[{number}]", f"has the product and the dimension values of lines[{names.index(name)}]"
        )
        for number, name in enumerate(names)
        if names.index(name) < number
    ]
    if violations:
        raise InvalidFields(violations)
