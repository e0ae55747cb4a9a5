# SPDX-License-Identifier: Apache-2.0
"""Copies a frozen dataclass without slots, with changed fields.

It takes a sixth of the time of dataclasses.replace (0.6 instead of 4 µs). The gate uses it for the few values that it
changes at every request. The type checker sees dataclasses.replace, so it still detects a wrong field or type.
__post_init__ is not run.
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
