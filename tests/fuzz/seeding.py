# SPDX-License-Identifier: Apache-2.0
"""Fills the mesh with customers that the fuzzer may ruin, by the calls of tests/support/every_write.py.

Every write is called there once, so each method has an example that succeeded. It is repeated during a run, under new
names and at the present time, because a ruined customer teaches nothing more.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fuzz.calls import Answer
from tests.fuzz.knowledge import Knowledge
from tests.fuzz.methods import Method
from tests.fuzz.requests import Attempt
from tests.support import every_write
from tests.support.any_rpc import request_of, to_json
from tests.support.mesh import JUNE

Json = Any

_NAMES = re.compile(r"(acme|cus_|con_|prd_|rcd_|rat_|top_|alr_|met_|tx-|AI credits$)")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

# The Ledger of the mesh may observe the seeded alerts too; what is seeded must look neither older nor too far ahead.
LATER_SEQUENCE = 900_000
SPARE = 12


class Refused(Exception):
    """A call of the seeding did not succeed."""


class Seeding:
    """Repeats the calls. perform: makes an attempt, counts it, and learns from it."""

    def __init__(
        self,
        methods: Mapping[tuple[str, str], Method],
        knowledge: Knowledge,
        perform: Callable[[Attempt], Awaitable[Answer]],
    ) -> None:
        self._methods = methods
        self._knowledge = knowledge
        self._perform = perform
        self._assigned: set[str] = set()
        self._times = 0

    async def fill(self, *, receiver_url: str | None = None) -> None:
        """Call every write once more; those of Alert only with a receiver of webhooks. Raises Refused."""
        self._times += 1
        try:
            sold = await every_write.fill_catalog(self._asking("catalog"))
            await every_write.fill_contract(self._asking("contract"), sold)
            ledger = self._asking("ledger")
            await every_write.fill_ledger(ledger)
            await _spare(ledger)
            if receiver_url is not None:
                await every_write.fill_alert(self._asking("alert"), receiver_url)
        except (KeyError, IndexError) as error:
            raise Refused(f"an answer lacks {error}") from error

    def _asking(self, service: str) -> every_write.Ask:
        shift = timedelta(seconds=self._knowledge.now) - (JUNE - datetime(1970, 1, 1, tzinfo=UTC))
        count = 0

        async def ask(rpc: str, **fields: Json) -> Json:
            nonlocal count
            count += 1
            method = self._methods[service, rpc]
            body = self._renamed(fields, shift)
            if rpc == "ObserveCrossing":
                body["sequence"] = str(LATER_SEQUENCE + int(body["sequence"]))
            if "request_id" in method.fields():
                body["request_id"] = f"seed-{self._times}-{service}-{count}"
            request = request_of(service, rpc, body)
            answer = await self._perform(
                Attempt(method=method, kind="seeding", bodies=(request.SerializeToString(),))
            )
            if answer.response is None:
                raise Refused(f"{method.label}: {answer.code.name} {answer.reason} {answer.fault}\n{request}")
            said = to_json(answer.response)
            self._assigned.update(_texts(said))
            return said

        return ask

    def _renamed(self, said: Json, shift: timedelta) -> Json:
        if isinstance(said, Mapping):
            return {key: self._renamed(value, shift) for key, value in said.items()}
        if isinstance(said, list):
            return [self._renamed(value, shift) for value in said]
        if isinstance(said, str) and said not in self._assigned:
            if _TIME.fullmatch(said):
                return (datetime.fromisoformat(said) + shift).strftime("%Y-%m-%dT%H:%M:%SZ")
            if _NAMES.match(said):
                return f"{said}-{self._times}"
        return said


async def _spare(ask: every_write.Ask) -> None:
    """Take holds and report events: each can be captured, voided and so on only once."""
    used = {"customer": "acme", "product_id": "prd_assistant", "group_values": {"user_id": "ann"}}
    event = {"customer": "acme", "event_type": "ai_call", "timestamp": "2025-06-01T00:00:00Z"}
    properties = {"model": "large", "region": "eu", "user_id": "ann", "units": "0.1"}
    for number in range(SPARE):
        await ask("Authorize", **used, quantity_micros="10000", hold_ttl="86400s")
        await ask(
            "RecordUsage",
            events=[{**event, "transaction_id": f"tx-spare-{number}", "properties": properties}],
        )


def _texts(said: Json) -> set[str]:
    if isinstance(said, Mapping):
        return set().union(*(_texts(value) for value in said.values()))
    if isinstance(said, list):
        return set().union(*(_texts(value) for value in said))
    return {said} if isinstance(said, str) else set()
