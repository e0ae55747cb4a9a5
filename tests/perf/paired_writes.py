# SPDX-License-Identifier: Apache-2.0
"""P8 and P15: the Ledger's write in the database only, beside a plain insert, for one customer and for many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.perf.bench import Bench
from tests.perf.database import Database
from tests.perf.goals import Spread
from tests.perf.world import customer, customers
from tests.perf.write_path import Pair, Workload, open_writer

HOT = (customer(1),)
WRITES_PER_ROUND = 5


@dataclass(frozen=True, slots=True)
class PairedWrites:
    """Pairs of writes by part."""

    pairs: Mapping[str, Sequence[Pair]]

    def ratios(self) -> dict[str, Spread]:
        """Return how much faster the plain insert is, by part."""
        return {
            part: Spread.of([pair.insert / pair.write for pair in timed])
            for part, timed in self.pairs.items()
        }

    def milliseconds(self) -> dict[str, dict[str, Any]]:
        """Return what each step took, by part."""
        return {
            part: {
                name: Spread.of([getattr(pair, name) * 1_000 for pair in timed]).as_json()
                for name in ("write", "prepare", "insert")
            }
            for part, timed in self.pairs.items()
        }

    def briefly(self) -> str:
        """Return the medians in one line."""
        return "ms: " + "; ".join(
            f"{part} {told['write']['median']:.3g}, insert {told['insert']['median']:.3g}"
            for part, told in self.milliseconds().items()
        )


async def paired_writes(
    bench: Bench, database: Database, workload: Workload, *, items: int, many: int
) -> PairedWrites:
    """Write so many items at once for one customer, and for `many`; opens their accounts first."""
    others = customers(many, first=2)
    pairs: dict[str, list[Pair]] = {}
    async with bench.shop(database=database) as shop:
        await shop.open_for([*HOT, *others])
    async with open_writer(database, workload) as writer:
        for part, names in (("hot", HOT), ("1,000 customers", others)):
            accounts = await writer.read(names)
            await bench.databases.settle()
            await writer.pair(accounts, items=items)  # plans the statements
            repeats = bench.scale.rounds * WRITES_PER_ROUND
            pairs[part] = [await writer.pair(accounts, items=items) for _ in range(repeats)]
    return PairedWrites(pairs)
