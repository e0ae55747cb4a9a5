# SPDX-License-Identifier: Apache-2.0
"""What the type check must reject: run by `make types`, which fails when an ignored line below is no error any more.

No field of a value is assigned after it was made, although nothing prevents that at run time (meshkit/values.py).
"""

from meshkit.quantity import Credits
from meshkit.values import value


@value(frozen=True, slots=True)
class Amount:
    micros: int


def assign(amount: Amount, credits: Credits) -> None:
    """Change values."""
    amount.micros = 1  # type: ignore[misc]
    credits.micros = 1  # type: ignore[misc]


def make() -> tuple[Amount, Amount]:
    """Make values without a field, and of a wrong type."""
    return Amount(), Amount("1")  # type: ignore[call-arg, arg-type]
