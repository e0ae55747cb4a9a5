# SPDX-License-Identifier: Apache-2.0
"""The fields of Metronome's bodies: how each is read, and what is done with those that Purser cannot express.

A field that has no effect on money or credits is ignored (NO_EFFECT). Every other field that a body does not name is
refused: to ignore it would charge or grant something else than was asked for.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from meshkit.errors import FieldViolation
from services.edge.faults import InvalidBody

# Labels and ids of other systems; and what a rule of Purser makes irrelevant.
NO_EFFECT: Final = frozenset(
    {
        *("custom_fields", "description", "tags", "netsuite_sales_order_id", "netsuite_internal_item_id"),
        *("netsuite_overage_item_id", "salesforce_opportunity_id", "is_refundable", "total_contract_value"),
        *("net_payment_terms_days", "multiplier_override_prioritization", "access_type"),
    }
)
NUMBER_MAX: Final = Decimal(10**15)

B = TypeVar("B", bound="Body")
T = TypeVar("T")


class Body(BaseModel):
    """A body, or a part of one. What is null or empty is as if left out. ignores: more fields without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ignores: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_what_has_no_effect(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        ignored = NO_EFFECT - cls.model_fields.keys() | cls.ignores
        # What is false and unknown is not asked for.
        return {
            key: held
            for key, held in value.items()
            if key not in ignored
            and held not in (None, "", [], {})
            and not (held is False and key not in cls.model_fields)
        }


def body_from_json(kind: type[B], content: object) -> B:
    """Return a body. Raises InvalidBody, which names all wrong fields."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InvalidBody(map(_violation, error.errors(include_url=False, include_input=False))) from error


def _violation(error: ErrorDetails) -> FieldViolation:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    match error["type"]:
        case "missing":
            text = "is required"
        case "extra_forbidden":
            text = "is not supported by Purser, and ignoring it would change what is charged or granted; leave it out"
        case "model_type" | "dict_type":
            text = "must be a JSON object"
        case _:
            text = error["msg"][:1].lower() + error["msg"][1:]
    return FieldViolation(path or "the body", text)


def one_violation(field: str, description: str) -> InvalidBody:
    """Return the refusal of one field."""
    return InvalidBody([FieldViolation(field, description)])


def refused(what_to_do: str) -> BeforeValidator:
    """Return the reader of a field that Purser cannot express. what_to_do: follows "is not supported: "."""

    def refuse(_: object) -> None:
        raise PydanticCustomError("refused", "is not supported: {what_to_do}", {"what_to_do": what_to_do})

    return BeforeValidator(refuse)


def only(accepted: object, what_to_do: str) -> AfterValidator:
    """Return the check of a field that may have one value only."""

    def check(value: Any) -> Any:
        if value != accepted:
            shown = str(accepted).lower() if isinstance(accepted, bool) else str(accepted)
            raise PydanticCustomError("only", "must be {shown}: {why}", {"shown": shown, "why": what_to_do})
        return value

    return AfterValidator(check)


def _instant(value: object) -> datetime:
    try:
        if not isinstance(value, str):
            raise ValueError
        parsed = datetime.fromisoformat(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("instant", "must be a time such as 2025-06-01T00:00:00Z") from None


def _number(value: object) -> Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
        if abs(number) <= NUMBER_MAX:
            return number
    raise PydanticCustomError("number", "must be a number of at most {most}", {"most": f"{NUMBER_MAX:,}"})


def _whole(value: object) -> int:
    number = _number(value)
    if number != number.to_integral_value():
        raise PydanticCustomError("whole", "must be a whole number")
    return int(number)


def _text_list(value: object) -> object:
    return [text.strip() for text in value.split(",")] if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def limit_of(most: int) -> AfterValidator:
    """Return the check of a page's limit."""

    def check(value: int) -> int:
        if not 1 <= value <= most:
            raise PydanticCustomError("limit", "must be 1 to {most}", {"most": most})
        return value

    return AfterValidator(check)


# A time with or without a zone; without one it is UTC.
Instant = Annotated[datetime, BeforeValidator(_instant)]
# Exact; money of USD in cents, of other currencies in units; credits in credits.
Number = Annotated[Decimal, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
# In a query: "a,b".
TextList = Annotated[tuple[str, ...], BeforeValidator(_text_list)]
# For a Literal in upper or lower case, which callers may write either way.
UPPER: Final = BeforeValidator(_upper)
LOWER: Final = BeforeValidator(_lower)


class CursorQuery(Body):
    """A page that is asked for in the query."""

    limit: Annotated[int, limit_of(100)] | None = None
    next_page: str = ""


class IdBody(Body):
    """Names one thing."""

    id: str


def id_to_json(thing_id: str) -> dict[str, object]:
    return {"data": {"id": thing_id}}


def time_to_json(at: Timestamp) -> str:
    """Return a time as 2025-06-01T00:00:00.000Z."""
    return f"{at.ToDatetime():%Y-%m-%dT%H:%M:%S}.{at.nanos // 1_000_000:03d}Z"


def without_absent(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that are not None."""
    return {key: value for key, value in fields.items() if value is not None}


def name_of(values_by_name: Mapping[str, T], value: T) -> str:
    """Return Metronome's name of one of our enum's values."""
    return next(name for name, held in values_by_name.items() if held == value)
