# SPDX-License-Identifier: Apache-2.0
"""Ascending steps on the wire, such as bands: each has an inclusive end, and only the last one has none."""

from collections.abc import Sequence
from typing import Literal, Protocol

from meshkit.rpc.fields import Fields


class Step(Protocol):
    """A message with an optional end."""

    @property
    def up_to_micros(self) -> int: ...
    def HasField(self, field_name: Literal["up_to_micros"], /) -> bool: ...


def ends_from_wire(
    fields: Fields, path: str, asked: Sequence[Step], *, minimum: int
) -> tuple[int | None, ...]:
    """Return the end of each step. minimum: of the first end. path: of the steps, such as "tiers"."""
    ends: list[int | None] = []
    for n, one in enumerate(asked):
        is_last, field = n == len(asked) - 1, f"{path}[{n}].up_to_micros"
        if is_last and one.HasField("up_to_micros"):
            fields.add(field, "must be absent: the last one has no end")
        elif not is_last and not one.HasField("up_to_micros"):
            fields.add(field, "is required, except in the last one")
        elif not is_last:
            minimum = 1 + fields.micros(field, one.up_to_micros, minimum=minimum)
        ends.append(None if is_last else one.up_to_micros)
    return tuple(ends)
