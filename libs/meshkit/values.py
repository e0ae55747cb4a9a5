# SPDX-License-Identifier: Apache-2.0
"""A frozen dataclass that only the type checker keeps frozen: for the values that the gate makes at every request.

A dataclass that is frozen at run time sets each field by a call, which takes 80 ns instead of 10, and the gate makes a
few dozen values at every request. They compare, hash and are copied as those of a frozen dataclass. A class of values
that is not made at every request is a plain frozen dataclass.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as value
else:
    from dataclasses import dataclass

    def value(*, frozen: bool, **options: Any) -> Any:
        """Make a class a dataclass; the options are those of dataclasses.dataclass, with frozen=True."""
        assert frozen
        return dataclass(unsafe_hash=True, **options)


__all__ = ["value"]
