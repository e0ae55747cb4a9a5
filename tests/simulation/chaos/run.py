# SPDX-License-Identifier: Apache-2.0
"""A run from its beginning to its end: the mesh, what it sells, the strikes, and the end of everything."""

import random
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from deploy.local.fault import Fault
from deploy.local.webhook_receiver import WebhookReceiver
from tests.simulation.chaos.faults import left_out
from tests.simulation.chaos.mesh import ChaosMesh
from tests.simulation.chaos.outcome import Outcome
from tests.simulation.chaos.recount import until_settled
from tests.simulation.chaos.strikes import PATIENCE_SECONDS, Plan, Run, RunStopped
from tests.simulation.chaos.world import GATED, PLAIN, POOR, cap_of, open_stubs, set_up
from tests.simulation.crash_book import Book
from tests.simulation.crash_writers import Writer

PLENTY_MICROS, LITTLE_MICROS = 10**13, 20_000_000


async def chaos(plan: Plan, *, say: Console | None = None, keeps_logs: bool = False) -> Outcome:
    """Run it. Whatever goes wrong is in the outcome."""
    outcome = Outcome(seed=plan.seed)
    dice = random.Random(plan.seed)
    folder = Path(tempfile.mkdtemp(prefix="purser-chaos-"))
    began = time.monotonic()
    mesh = ChaosMesh(
        folder, counts=plan.counts, cut_share=plan.cut_share, dice=dice, disk_megabytes=plan.disk_megabytes
    )
    try:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(mesh.stop)
            await mesh.start()
            run = await _prepared(plan, mesh, outcome, dice, folder, stack, say)
            await run.strike_under_load()
            await run.compare()
    except* (RunStopped, Fault) as stopped:
        outcome.stopped = "; ".join(str(one) for one in stopped.exceptions)
    finally:
        outcome.wrong += mesh.deaths
        if outcome.is_good and not keeps_logs:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            outcome.logs = str(folder)
    outcome.seconds = time.monotonic() - began
    return outcome


async def _prepared(
    plan: Plan,
    mesh: ChaosMesh,
    outcome: Outcome,
    dice: random.Random,
    folder: Path,
    stack: AsyncExitStack,
    say: Console | None,
) -> "Run":
    """Set up the world, and open what callers use until the end."""
    receiver = WebhookReceiver()
    await receiver.start()
    stack.push_async_callback(receiver.stop)
    credentials = mesh.credentials
    # Before the faults, past the proxies, which lose replies.
    direct = {service: replicas[0].address for service, replicas in mesh.replicas.items()}
    async with open_stubs(direct, credentials) as stubs:
        world = await set_up(stubs, receiver)
        await until_settled(mesh.admin_url, seconds_max=PATIENCE_SECONDS)
        cap = cap_of(world)
        outcome.book.write(cap, (await stubs.ledger_admin.SetSpendCap(cap)).spend_cap)
    for name in PLAIN:
        book = Book() if name == GATED else outcome.book
        giver = Writer(
            f"giver-{name}",
            direct["ledger"],
            book,
            random.Random(0),
            wares=world.wares,
            credentials=credentials,
        )
        await giver.grant(world.ids[name], LITTLE_MICROS if name == POOR else PLENTY_MICROS)
        await giver.close()
    outcome.left_out = {name: why for name, why in left_out(mesh).items() if name in plan.faults}
    return Run(
        plan=plan,
        mesh=mesh,
        outcome=outcome,
        dice=dice,
        folder=folder,
        receiver=receiver,
        stubs=await stack.enter_async_context(open_stubs(mesh.addresses, credentials)),
        world=world,
        say=say,
    )
