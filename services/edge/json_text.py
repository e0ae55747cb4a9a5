# SPDX-License-Identifier: Apache-2.0
"""JSON whose numbers are exact: read as int or Decimal, written without an exponent."""

import json
from decimal import Decimal
from typing import Any, NoReturn


class NotJson(ValueError):
    """The text is not JSON; says where."""


def read_json(text: bytes) -> Any:
    """Return what a JSON text says, or None if it is empty. Raises NotJson."""
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except RecursionError as error:
        raise NotJson("it is nested too deeply") from error
    except ValueError as error:  # also of bytes that are not UTF-8
        raise NotJson(str(error)) from error


def write_json(value: object) -> str:
    """Return `value` as JSON. It consists of dicts, lists, tuples, texts, ints, Decimals, bools and None."""
    match value:
        case Decimal():
            return format(value.normalize() if value else Decimal(0), "f")
        case dict():
            return (
                "{" + ",".join(f"{json.dumps(key)}:{write_json(held)}" for key, held in value.items()) + "}"
            )
        case list() | tuple():
            return "[" + ",".join(map(write_json, value)) + "]"
        case None | bool() | int() | str():
            return json.dumps(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form here")


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
