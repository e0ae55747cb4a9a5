# SPDX-License-Identifier: Apache-2.0
"""What identities cost the gate: P19. Two Ledgers on one database, one of them without TLS and tokens, take turns."""

from collections.abc import Collection, Mapping

from deploy.local import mesh
from deploy.local.identity import open_identity
from meshkit.clock import SystemClock
from tests.perf.bench import IN_FLIGHT, Bench, by_round, cpu_us, holds, lowest, rates, raw
from tests.perf.goals import Figure
from tests.perf.load import Kind, Secured
from tests.perf.servers import running_ledger
from tests.perf.unary import CALLS, HOT


async def tokens_and_tls(bench: Bench, wanted: Collection[str]) -> Mapping[str, Figure]:
    """P19: the calls of P1 over TLS with a token, compared with the same over plaintext."""
    identity = open_identity(bench.folder / "access", clock=SystemClock())
    secured = Secured(
        authority=identity.files.authority.read_text(), token=identity.token("gate", subject="bench")
    )
    async with (
        bench.shop() as shop,
        running_ledger(shop.database.ledger_url, bench.folder, access=mesh.secured(identity, None)) as secure,
    ):
        await shop.open_for(HOT)
        kinds = {"authorize": Kind.AUTHORIZE, "debit": Kind.DEBIT}
        series = {}
        for call, kind in kinds.items():
            series[call] = bench.calls(shop, kind, in_flight=IN_FLIGHT, names=HOT)
            series[f"{call} secure"] = bench.calls(
                shop, kind, in_flight=IN_FLIGHT, names=HOT, server=secure, secured=secured
            )
        runs = await bench.interleaved(series)
        audit = await shop.audit([run for of_one in runs.values() for run in of_one])
    shares = [
        by_round(
            lambda secure, plain: secure.calls_per_second / plain.calls_per_second,
            runs[f"{call} secure"],
            runs[call],
        )
        for call in CALLS
    ]
    detail = {
        "briefly": f"{rates(runs, *runs)}; {cpu_us(runs, *runs)}",
        "series": raw(runs),
        "audit": audit,
    }
    return {"P19": Figure({"": lowest(shares)}, detail, holds=holds(audit))}
