# SPDX-License-Identifier: Apache-2.0
"""Notices of the outbox, each to the call that tells it."""

from typing import assert_never

from meshkit.encoding import from_json
from meshkit.outbox import Notice
from services.contract.domain.notices import (
    ContractChanged,
    CustomerChanged,
    NoticeKind,
    SeatsChanged,
    TopUpPaid,
)
from services.contract.peers import LedgerPeer


class Deliveries:
    """Delivers one notice at a time, for meshkit's relay. Raises when the Ledger did not take it."""

    def __init__(self, ledger: LedgerPeer) -> None:
        self._ledger = ledger

    async def deliver(self, notice: Notice) -> None:
        kind, request_id = NoticeKind(notice.kind), notice.notice_id
        match kind:
            case NoticeKind.CUSTOMER_CHANGED:
                customer = from_json(CustomerChanged, notice.payload)
                await self._ledger.apply_customer(customer, request_id=request_id)
            case NoticeKind.CONTRACT_CHANGED:
                contract = from_json(ContractChanged, notice.payload)
                await self._ledger.apply_contract(contract, request_id=request_id)
            case NoticeKind.SEATS_CHANGED:
                seats = from_json(SeatsChanged, notice.payload)
                await self._ledger.apply_seat_change(seats, request_id=request_id)
            case NoticeKind.TOP_UP_PAID:
                paid = from_json(TopUpPaid, notice.payload)
                await self._ledger.issue_grant(paid, request_id=request_id)
            case _:
                assert_never(kind)
