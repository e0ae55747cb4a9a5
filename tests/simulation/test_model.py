# SPDX-License-Identifier: Apache-2.0
"""The Ledger against its model: two replicas, one database, one clock; the same answers and balances at every step.

The clock goes forward, often exactly to an instant at which something changes, or to a microsecond before or after it.
The check after a step is drawn too, so that no result is right only because a read preceded it.
"""

import ast
import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.simulation import looks, model
from tests.simulation.conftest import Plan
from tests.simulation.shadow import POOLS, PRODUCTS
from tests.simulation.steps import (
    ASKING,
    BEGINNINGS,
    HOLDING,
    OPERATING,
    ORDERLY,
    TAKING_TURNS,
    TELLING,
    TELLING_BEHIND,
    WAITING,
    Drawn,
    Step,
    Steps,
    begun,
)
from tests.simulation.world import World
from tests.support.postgres import PostgresServer, own_database

STEPS_EACH = 50
# Below 10, Hypothesis draws each example independently; from 10 on most are variations of an earlier one.
EXAMPLES_EACH = 9
TIMELINES_EACH = 4
SETTINGS = settings(
    max_examples=EXAMPLES_EACH, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
STATEMENTS_MAX = 220


Look = tuple[str, int, str, str]
looks_after = st.tuples(
    st.sampled_from(["balance", "decision", "decision"]),  # the latter writes nothing
    st.integers(0, 1),
    st.sampled_from(list(PRODUCTS)),
    st.sampled_from(["", "ann", "bob"]),
)


class LedgerMachine(RuleBasedStateMachine):
    """Draws the steps, and checks the Ledger's data after each."""

    def __init__(self, runner: asyncio.Runner, server: PostgresServer) -> None:
        super().__init__()
        self._runner = runner
        self._server = server
        self._stack = AsyncExitStack()
        self._world: World | None = None  # None after a failure: further steps would mean nothing

    @initialize(beginning=BEGINNINGS)
    def open(self, beginning: Drawn) -> None:
        self._world = self._runner.run(self._open(beginning))
        self._steps = Steps(self._world)

    async def _open(self, beginning: Drawn) -> World:
        databases = await self._stack.enter_async_context(own_database(self._server))
        return await self._stack.enter_async_context(begun(databases, beginning))

    @rule(step=ASKING, look=looks_after)
    def ask(self, step: Step, look: Look) -> None:
        self._do(step, look)

    @rule(step=ASKING, look=looks_after)
    def ask_more(self, step: Step, look: Look) -> None:
        self._do(step, look)

    @precondition(lambda machine: machine.has_holds())
    @rule(step=HOLDING, look=looks_after)
    def end_hold(self, step: Step, look: Look) -> None:
        self._do(step, look)

    @rule(step=WAITING, look=looks_after)
    def wait(self, step: Step, look: Look) -> None:
        self._do(step, look)

    @rule(step=TELLING, look=looks_after)
    def tell(self, step: Step, look: Look) -> None:
        self._do(step, look)

    @rule(step=TELLING_BEHIND, look=looks_after)
    def tell_behind(self, step: Step, look: Look) -> None:
        self._do(step, look)

    @rule(step=TAKING_TURNS, look=looks_after)
    def take_turns(self, step: Step, look: Look) -> None:
        self._do(step, look)

    @rule(step=OPERATING, look=looks_after)
    def operate(self, step: Step, look: Look) -> None:
        self._do(step, look)

    def has_holds(self) -> bool:
        return self._world is not None and any(pool.holds for pool in self._world.shadow.pools.values())

    def _do(self, step: Step, look: Look) -> None:
        world, self._world = self._world, None
        assert world is not None
        self._runner.run(self._steps.do(step))
        self._runner.run(_look(world, look))
        self._world = world

    def teardown(self) -> None:
        try:
            if self._world is not None:
                self._runner.run(looks.balances_agree(self._world, 0))
                self._runner.run(looks.histories_agree(self._world, 1))
                self._runner.run(looks.crossings_agree(self._world))
        finally:
            self._runner.run(self._stack.aclose())


async def _look(world: World, look: Look) -> None:
    kind, replica, product, user = look
    if kind == "balance":
        await looks.balances_agree(world, replica)
    else:
        await looks.decision_agrees(world, product, user, replica)


# The longest test by far: 80 s where two busy cores carry the rest of the suite as well.
@pytest.mark.timeout(600)
def test_two_replicas_answer_as_the_model_does_at_every_step(
    postgres_server: PostgresServer, plan: Plan
) -> None:
    with asyncio.Runner() as runner:

        class Machine(LedgerMachine):
            def __init__(self) -> None:
                super().__init__(runner, postgres_server)

        for number in range(max(1, plan.steps // (STEPS_EACH * EXAMPLES_EACH))):
            with _seeded(plan.seed + number) as seeded:
                run_state_machine_as_test(
                    seeded(Machine), settings=settings(SETTINGS, stateful_step_count=STEPS_EACH)
                )


def test_a_timeline_cut_in_two_ends_as_it_does_in_one(postgres_server: PostgresServer, plan: Plan) -> None:
    with asyncio.Runner() as runner:

        @settings(SETTINGS, max_examples=TIMELINES_EACH)
        @given(
            beginning=BEGINNINGS,
            steps=st.lists(ORDERLY, min_size=STEPS_EACH // 3, max_size=STEPS_EACH),
            cut=st.integers(0, STEPS_EACH),
            sweeps=st.booleans(),
        )
        def check(beginning: Drawn, steps: list[Step], cut: int, sweeps: bool) -> None:
            lived = partial(_lived, postgres_server, beginning, steps)
            in_one = runner.run(lived())
            in_two = runner.run(lived(cut=cut % len(steps), sweeps=sweeps))
            for one, two in zip(in_one, in_two, strict=True):
                assert [pair for pair in zip_longest(one, two) if pair[0] != pair[1]] == []

        for number in range(max(1, plan.steps // (8 * STEPS_EACH * TIMELINES_EACH))):
            with _seeded(plan.seed + number) as seeded:
                seeded(check)()


async def _lived(
    server: PostgresServer,
    beginning: Drawn,
    steps: Sequence[Step],
    *,
    cut: int | None = None,
    sweeps: bool = False,
) -> list[list[looks.Line]]:
    """Apply `steps`, and return everything that was written.

    cut: the step before which both replicas restart; from there on every wait has two parts, with a sweep in between if
    `sweeps`.
    """
    async with own_database(server) as databases, begun(databases, beginning) as world:
        doer = Steps(world)
        for number, step in enumerate(steps):
            if cut is not None and number == cut:
                await doer.restart(0)
                await doer.restart(1)
            if cut is not None and number >= cut and step[0] == "wait":
                await doer.wait_in_two(**step[1], sweeps=sweeps)
            else:
                await doer.do(step)
        await looks.balances_agree(world, 0)
        await looks.histories_agree(world, 1)
        return [await looks.lines(world, customer, credit_type) for customer, credit_type in POOLS]


@contextmanager
def _seeded(number: int) -> Iterator[Callable[[Any], Any]]:
    """Give the seed to the block, and add it to the error if the block fails."""
    try:
        yield seed(number)
    except BaseException as error:
        error.add_note(f"make simulate SEED={number} STEPS=1")
        raise


def test_the_model_has_at_most_220_statements_and_imports_no_service() -> None:
    tree = ast.parse(Path(model.__file__).read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    imports = [node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    docstrings = [node for node in statements if isinstance(node, ast.Expr)]

    assert len(statements) - len(imports) - len(docstrings) <= STATEMENTS_MAX
    assert [node for node in imports if "services" in ast.dump(node)] == []
