# SPDX-License-Identifier: Apache-2.0
"""The fields of an event as texts for people, for Slack and for mails."""

from collections.abc import Iterator
from typing import Any, Final

_MICROS: Final = "_micros"


def readable_fields(data: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field's path, such as "refund.amount", and its value. Those that are empty are left out.

    Amounts are decimal numbers, without "_micros" in the name.
    """
    for name, value in data.items():
        match value:
            case None | "":
                continue
            case {"currency_code": str(), "micros": int()}:
                yield f"{path}{name}", money_text(value)
            case dict():
                yield from readable_fields(value, f"{path}{name}.")
            case bool():
                yield f"{path}{name}", str(value).lower()
            case int() if name.endswith(_MICROS):
                yield f"{path}{name.removesuffix(_MICROS)}", decimal_text(value)
            case list():
                yield f"{path}{name}", ", ".join(str(one) for one in value)
            case _:
                yield f"{path}{name}", str(value)


def money_text(money: dict[str, Any]) -> str:
    """Return an amount of money, such as "1,080.50 USD"."""
    return f"{decimal_text(money['micros'])} {money['currency_code']}"


def decimal_text(micros: int) -> str:
    """Return millionths as a decimal number, with two places at least."""
    whole, part = divmod(abs(micros), 1_000_000)
    places = f"{part:06}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole:,}.{places}"
