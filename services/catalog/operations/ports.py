# SPDX-License-Identifier: Apache-2.0
"""What operations need from outside: a store, and a relay that tells the Ledger. Real ones: store/, relay.py."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from meshkit.page import Page
from services.catalog.domain.credit_type import CreditType, CreditTypeId
from services.catalog.domain.notices import NoticeKind

T = TypeVar("T")


class Command(Protocol):
    @property
    def request_id(self) -> str: ...


class CreditTypeStore(Protocol):
    async def insert(self, credit_type: CreditType) -> None: ...
    async def known(self, credit_type_ids: Collection[CreditTypeId]) -> frozenset[CreditTypeId]: ...
    async def list(self, page: Page) -> list[CreditType]: ...


class Transaction(Protocol):
    """All or nothing. `claim` comes first and `remember` last: meshkit/requests.py."""

    @property
    def credit_types(self) -> CreditTypeStore: ...
    async def claim(self, command: Command, answer_type: type[T]) -> T | None: ...
    async def remember(self, command: Command, answer: object) -> None: ...
    async def enqueue(self, kind: NoticeKind, *, key: str, payload: object) -> None: ...


class Store(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...


class Relay(Protocol):
    async def deliver_now(self, key: str) -> None:
        """Try at once what is enqueued under `key`. Raises nothing for an absent peer."""
        ...
