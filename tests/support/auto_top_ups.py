# SPDX-License-Identifier: Apache-2.0
"""An automatic top-up of a real Contract, whose Ledger is played by the test."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from meshkit.rpc.client import open_channel
from meshkit.rpc.fields import timestamp
from purser.contract.v1 import auto_top_ups_pb2 as auto
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import contract_peer_pb2 as peer
from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceStub
from purser.contract.v1.contract_peer_pb2_grpc import ContractPeerServiceStub
from purser.ledger.v1.ledger_peer_pb2 import IssueTopUpGrantRequest, SetTopUpLevelRequest
from purser.type.v1.money_pb2 import Money
from tests.support.contract import Desk, RunningContract
from tests.support.ledger_peer import RecordingLedger
from tests.support.recording_alert import RecordingAlert

if TYPE_CHECKING:
    # The stub of an aio channel has a separate type, which exists only in the .pyi.
    from purser.contract.v1.auto_top_ups_pb2_grpc import AutoTopUpServiceAsyncStub
    from purser.contract.v1.contract_peer_pb2_grpc import ContractPeerServiceAsyncStub

AutoTopUpStub: TypeAlias = "AutoTopUpServiceAsyncStub"
PeerStub: TypeAlias = "ContractPeerServiceAsyncStub"
CREDIT = 1_000_000


@dataclass(kw_only=True)
class Pump:
    """An automatic top-up of a signed customer: threshold 500, recharge to 3,000; packs of 1,000 for $80."""

    desk: Desk
    running: RunningContract
    ledger: RecordingLedger
    alert: RecordingAlert
    stub: AutoTopUpStub
    peer: PeerStub
    contract: pb.Contract
    auto_top_up_id: str = ""
    sequence: int = 0

    def request(self, **more: object) -> auto.SetAutoTopUpRequest:
        asked: dict[str, object] = {
            "request_id": self.desk.request_id(),
            "contract_id": self.contract.contract_id,
            "top_up_pack_id": self.desk.sells.pack.top_up_pack_id,
            "threshold_micros": 500 * CREDIT,
            "recharge_to_micros": 3_000 * CREDIT,
            "monthly_limit": Money(currency_code="USD", micros=500 * CREDIT),
        }
        return auto.SetAutoTopUpRequest(**(asked | more))  # type: ignore[arg-type]

    async def set(self, **more: object) -> auto.AutoTopUp:
        made = (await self.stub.SetAutoTopUp(self.request(**more))).auto_top_up
        self.auto_top_up_id = made.auto_top_up_id
        return made

    def level(self) -> SetTopUpLevelRequest:
        """The latest level that the Ledger has received."""
        return self.ledger.told_of(SetTopUpLevelRequest)[-1]

    async def report(self, remaining: int, *, in_alarm: bool = True, version: int | None = None) -> None:
        self.sequence += 1
        await self.peer.ReportTopUpLevel(
            peer.ReportTopUpLevelRequest(
                request_id=f"ntc_{self.sequence}",
                auto_top_up_id=self.auto_top_up_id,
                customer_id=self.contract.customer_id,
                credit_type_id=self.desk.sells.credits.credit_type_id,
                version=self.level().version if version is None else version,
                in_alarm=in_alarm,
                remaining_micros=remaining * CREDIT,
                sequence=self.sequence,
                observe_time=timestamp(self.running.clock.now()),
            )
        )

    async def low(self, remaining: int = 480) -> auto.AutoTopUp:
        """Report that the pool is low, and let Contract do what it wants to do now."""
        await self.report(remaining)
        await self.run_due()
        return await self.now()

    async def now(self) -> auto.AutoTopUp:
        return (await self.got()).auto_top_up

    async def got(self) -> auto.GetAutoTopUpResponse:
        return await self.stub.GetAutoTopUp(auto.GetAutoTopUpRequest(auto_top_up_id=self.auto_top_up_id))

    async def orders(self) -> list[pb.TopUp]:
        asked = pb.ListTopUpsRequest(contract_id=self.contract.contract_id)
        return list((await self.desk.contract.ListTopUps(asked)).top_ups)

    def events(self) -> list[str]:
        """What was published of it: "ordered" and "stopped", in order."""
        types = [one.event_type for one in self.alert.events]
        return [one.removeprefix("auto_top_up.") for one in types if one.startswith("auto_top_up.")]

    def stops(self) -> list[dict[str, Any]]:
        """What was published each time that it stopped."""
        return [
            json.loads(one.data_json) for one in self.alert.events if one.event_type == "auto_top_up.stopped"
        ]

    async def run_due(self) -> None:
        await self.running.app.run_due(self.running.clock.now())

    def granted(self) -> list[str]:
        return [one.top_up_id for one in self.ledger.told_of(IssueTopUpGrantRequest)]


@asynccontextmanager
async def a_pump(
    desk: Desk, running: RunningContract, ledger: RecordingLedger, alert: RecordingAlert
) -> AsyncIterator[Pump]:
    """Sign a contract with 4 seats, and open channels to what its automatic top-up needs."""
    signed = await desk.sign(desk.seats(4))
    async with open_channel(running.address) as channel:
        yield Pump(
            desk=desk,
            running=running,
            ledger=ledger,
            alert=alert,
            stub=AutoTopUpServiceStub(channel),
            peer=ContractPeerServiceStub(channel),
            contract=signed.contract,
        )
