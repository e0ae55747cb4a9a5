# SPDX-License-Identifier: Apache-2.0
"""How far the number of a notice may be from the known one."""

import pytest

from meshkit.distance import DISTANCE_MAX, NoticeTooFarAhead, NoticeTooFarBehind, check_distance
from meshkit.quantity import INT64_MAX


@pytest.mark.parametrize("known", [0, 1, 5_000_000, INT64_MAX])
def test_a_number_is_at_most_a_million_away_in_either_direction(known: int) -> None:
    for given in (known - DISTANCE_MAX, known - 1, known, known + 1, known + DISTANCE_MAX):
        check_distance(given, known=known, field="version")

    with pytest.raises(NoticeTooFarAhead) as ahead:
        check_distance(known + DISTANCE_MAX + 1, known=known, field="version")
    with pytest.raises(NoticeTooFarBehind) as behind:
        check_distance(known - DISTANCE_MAX - 1, known=known, field="version")

    for raised in (ahead.value, behind.value):
        assert (raised.metadata["field"], raised.metadata["known"]) == ("version", str(known))
