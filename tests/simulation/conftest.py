# SPDX-License-Identifier: Apache-2.0
"""The length and the seed of simulations: short and constant in the suite, variable with `make simulate`."""

import os
from dataclasses import dataclass

import pytest

SEED_DEFAULT = 20_250_601
STEPS_DEFAULT = 450

pytest.register_assert_rewrite("tests.simulation.world", "tests.simulation.looks")


@dataclass(frozen=True, slots=True)
class Plan:
    """seed: the same seed makes the same steps. steps: their approximate total."""

    seed: int
    steps: int

    @property
    def times(self) -> int:
        """The factor to the length in the suite, for tests that are not counted in steps."""
        return max(1, self.steps // (20 * STEPS_DEFAULT))


@pytest.fixture(scope="session")
def plan(request: pytest.FixtureRequest) -> Plan:
    plan = Plan(
        seed=int(os.environ.get("PURSER_SIMULATE_SEED") or SEED_DEFAULT),
        steps=int(os.environ.get("PURSER_SIMULATE_STEPS") or STEPS_DEFAULT),
    )
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"simulation: SEED={plan.seed} STEPS={plan.steps}")
    return plan


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --timeout=0, which `make simulate` sets, a test has no timeout; its marker would have precedence."""
    if config.getoption("timeout") == 0:
        for item in items:
            item.own_markers = [mark for mark in item.own_markers if mark.name != "timeout"]
