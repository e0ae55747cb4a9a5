# SPDX-License-Identifier: Apache-2.0
"""A long simulation is not ended by the timeout of its test."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.simulation.conftest import pytest_collection_modifyitems


@pytest.mark.parametrize(
    ("timeout", "names"), [(0, ["skip"]), (None, ["timeout", "skip"]), (60, ["timeout", "skip"])]
)
def test_only_without_a_timeout_are_the_markers_left_out(timeout: float | None, names: list[str]) -> None:
    item: Any = SimpleNamespace(own_markers=[pytest.mark.timeout(600).mark, pytest.mark.skip.mark])
    config = cast(pytest.Config, SimpleNamespace(getoption=lambda name: timeout))

    pytest_collection_modifyitems(config, [item])

    assert [mark.name for mark in item.own_markers] == names
