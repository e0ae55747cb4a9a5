# SPDX-License-Identifier: Apache-2.0
"""A changed copy of a frozen dataclass without slots, at a sixth of the cost of dataclasses.replace (0.6 against 4 µs).

For the few values that the gate changes at every request. The type checker sees dataclasses.replace, so a wrong field
or type is found all the same; __post_init__ is not run.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import replace as evolve
else:

    def evolve(value: Any, **changes: Any) -> Any:
        """Return `value` with some fields changed."""
        changed = object.__new__(type(value))
        fields = changed.__dict__
        fields.update(value.__dict__)
        fields.update(changes)
        return changed


__all__ = ["evolve"]
