# SPDX-License-Identifier: Apache-2.0
"""How far the version or sequence of a notice may be from the highest one that its receiver knows.

The owner of a thing counts its changes one by one, and of two notices the higher number wins. So one absurd number, by
a fault or by a forged call, would make every later notice of the owner look old.
Source, also of the bound: services/README.md, "Numbers of notices".
"""

from typing import Final

from meshkit.errors import FailedPrecondition

# More than one thing changes in a lifetime: one change every five minutes for ten years. So neither notices that were
# lost nor a number that was set back to the lowest ever make an honest notice look too far away.
DISTANCE_MAX: Final = 1_000_000


class NoticeTooFarAhead(FailedPrecondition):
    """The number is so high that its owner cannot have counted to it since the last notice."""

    reason = "NOTICE_TOO_FAR_AHEAD"

    def __init__(self, *, field: str, known: int, given: int) -> None:
        super().__init__(
            f"{field} {given} is more than {DISTANCE_MAX} above the highest known one, {known}; nothing was changed",
            field=field,
            known=str(known),
            given=str(given),
        )


class NoticeTooFarBehind(FailedPrecondition):
    """The known number is so high that it cannot come from the owner that sends this one."""

    reason = "NOTICE_TOO_FAR_BEHIND"

    def __init__(self, *, field: str, known: int, given: int) -> None:
        super().__init__(
            f"{field} {given} is more than {DISTANCE_MAX} below the known one, {known}, which cannot be the sender's;"
            " an operator must repair what is stored here",
            field=field,
            known=str(known),
            given=str(given),
        )


def check_distance(given: int, *, known: int, field: str) -> None:
    """Raise NoticeTooFarAhead or NoticeTooFarBehind. known: the highest number so far, 0 if there is none."""
    check_not_far_ahead(given, known=known, field=field)
    if given < known - DISTANCE_MAX:
        raise NoticeTooFarBehind(field=field, known=known, given=given)


def check_not_far_ahead(given: int, *, known: int, field: str) -> None:
    """Raise NoticeTooFarAhead. known: the highest number so far, 0 if there is none."""
    if given > known + DISTANCE_MAX:
        raise NoticeTooFarAhead(field=field, known=known, given=given)
