# SPDX-License-Identifier: Apache-2.0
"""A run of the fuzzer: four service processes, several callers at once, and the checks afterwards."""

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from google.protobuf.message import DecodeError

from deploy.local.database import SERVICES
from deploy.local.mesh import ProcessMesh
from tests.fuzz import corpus
from tests.fuzz.calls import ROLES, Answer, Channels, make, open_channels
from tests.fuzz.closing import faults_of, health_of, until_delivered
from tests.fuzz.knowledge import Knowledge
from tests.fuzz.methods import Method, methods_of
from tests.fuzz.report import Outcome, broken_lines
from tests.fuzz.requests import Attempt, Composer
from tests.fuzz.seeding import Refused, Seeding
from tests.support.alert import running_receiver
from tests.support.mesh import JUNE, Acme, acme_at, process_mesh, secured
from tests.support.postgres import Databases

CALLERS = 10
SEED_AGAIN_SECONDS = 12.0
HEALTH_SECONDS = 1.0
# The gate and usage have the most state, so they are called more often than the others.
OFTEN = {"/purser.ledger.v1.LedgerService": 6, "/purser.ledger.v1.UsageService": 6}
# Every service has these, so one of them is called less often than its own methods.
SELDOM = ("/purser.outbox.", "/purser.sandbox.", "/grpc.")


class Run:
    """One run. seed: decides every choice. What is learnt, and in which order calls arrive, differs between runs."""

    def __init__(self, seed: int, databases: Databases, folder: Path) -> None:
        self.outcome = Outcome(seed=seed)
        self.knowledge = Knowledge(now=int(JUNE.timestamp()))
        self._dice = random.Random(seed)
        self._databases = databases
        self._access = secured(folder / "identity")
        self._identity = self._access.identity
        self._mesh: ProcessMesh = process_mesh(databases, folder, access=self._access)
        self._methods: list[Method] = []
        self._stop_at = 0.0

    async def run(self, seconds: float) -> Outcome:
        """Fuzz for `seconds` and until every method was called, then check. Raises what prevents a start."""
        began = time.monotonic()
        addresses = self._mesh.addresses
        async with self._mesh:
            channels = open_channels(addresses, self._access)
            try:
                for service in SERVICES:
                    self._methods += await methods_of(service, channels.by_service[service])
                self.outcome.methods = list(self._methods)
                async with acme_at(addresses, self._identity) as witness, running_receiver() as receiver:
                    self._hide(witness)
                    seeding = self._seeding(channels)
                    await seeding.fill(receiver_url=receiver.url)
                    await self._replay(channels)
                    self._stop_at = time.monotonic() + seconds
                    await self._fuzz(seeding)
                    counts, stuck = await until_delivered(self._databases, addresses, self._identity)
                    self.outcome.notices = counts
                    self.outcome.wrong += stuck
                    self.outcome.wrong += await faults_of(witness, addresses, self._identity)
            finally:
                await channels.close()
        self.outcome.wrong += broken_lines(self._mesh.log(service) for service in SERVICES)
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _hide(self, witness: Acme) -> None:
        offer = witness.offer
        self.knowledge.keep_secret(witness.contract)
        self.knowledge.secret |= {"acme", offer.ai_credits, offer.team_plan, offer.included, offer.top_up}
        self.knowledge.secret |= {offer.rate_card, offer.pack, *offer.usage.values()}

    def _seeding(self, channels: Channels) -> Seeding:
        by_name = {(method.service, method.name): method for method in self._methods}

        async def perform(attempt: Attempt) -> Answer:
            return await self._perform(channels, attempt)

        return Seeding(by_name, self.knowledge, perform)

    async def _replay(self, channels: Channels) -> None:
        for attempt in corpus.attempts(self._methods, self.knowledge):
            await self._perform(channels, attempt)

    async def _fuzz(self, seeding: Seeding) -> None:
        """Let all callers call until the time is over. A service that ends, or is not healthy, ends the run."""
        dice = [random.Random(self._dice.random()) for _ in range(CALLERS)]
        callers = [asyncio.create_task(self._call(number, one)) for number, one in enumerate(dice)]
        watchers = [
            asyncio.create_task(self._seed_again(seeding)),
            *(asyncio.create_task(self._watch_health(service)) for service in SERVICES),
        ]
        death = asyncio.create_task(self._mesh.until_one_dies())
        try:
            await asyncio.wait({death, asyncio.gather(*callers)}, return_when=asyncio.FIRST_COMPLETED)
            if death.done():
                self.outcome.wrong.append(str(death.result()))
        finally:
            for task in (death, *callers, *watchers):
                task.cancel()
            ended = await asyncio.gather(*callers, *watchers, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _call(self, number: int, dice: random.Random) -> None:
        channels = open_channels(self._mesh.addresses, self._access)
        composer = Composer(
            dice,
            self.knowledge,
            prefix=f"c{number}",
            start=int(JUNE.timestamp()),
            tokens=self._lesser_tokens(),
        )
        deck: list[Method] = []
        try:
            while not self._is_done():
                if not deck:
                    deck = [one for one in self._methods for _ in range(_times(one))]
                    dice.shuffle(deck)
                attempt = composer.attempt(deck.pop())
                times = 2 if attempt.together else 1
                await asyncio.gather(*(self._perform(channels, attempt) for _ in range(times)))
        finally:
            await channels.close()

    def _is_done(self) -> bool:
        """Whether the time is over and every method has been called, however slow the machine is."""
        return time.monotonic() >= self._stop_at and all(
            self.outcome.codes[method.label] for method in self._methods
        )

    async def _perform(self, channels: Channels, attempt: Attempt) -> Answer:
        if attempt.method.is_self_service:
            attempt = replace(attempt, customer_id=self._customer_of(attempt))
        answer = await make(channels, attempt)
        self.outcome.count(attempt, answer)
        if answer.response is not None and attempt.bodies:
            # A body of garbage that succeeds is a message.
            request = attempt.method.request_type.FromString(attempt.bodies[0])
            self.knowledge.learn(attempt.method, request, answer.response)
        return answer

    def _customer_of(self, attempt: Attempt) -> str:
        try:
            asked = attempt.method.request_type.FromString(attempt.bodies[0])
        except DecodeError:
            asked = attempt.method.request_type()
        return self.knowledge.owner_of(asked)

    def _lesser_tokens(self) -> list[str]:
        """Return tokens of callers that may do less than all."""
        token = self._identity.token
        restricted = ["cus_acme-1", *self.knowledge.texts["customer_id"]][:5]
        return [
            *(token(role, subject=role) for role in ROLES),
            token("customer", subject="a customer", customer=restricted[0]),
            token("gate", "operator", "viewer", "usage", subject="restricted", customers=restricted),
            token(*ROLES, subject="x" * 200, customers=["cus_unknown"]),
            token("nothing", subject="nobody"),
            token(*ROLES, subject="late", valid=timedelta(seconds=1)),
        ]

    async def _seed_again(self, seeding: Seeding) -> None:
        while True:
            await asyncio.sleep(SEED_AGAIN_SECONDS)
            with suppress(Refused):
                await seeding.fill()

    async def _watch_health(self, service: str) -> None:
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            said = await health_of(self._mesh.addresses[service], self._identity)
            if said != "SERVING":
                self.outcome.wrong.append(f"health of {service} during the run: {said}")


def _times(method: Method) -> int:
    """Return how often a method is called while another is called once."""
    if method.path.startswith(SELDOM):
        return 1
    return OFTEN.get(method.path.rpartition("/")[0], 3)
