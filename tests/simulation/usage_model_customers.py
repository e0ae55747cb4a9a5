# SPDX-License-Identifier: Apache-2.0
"""Customers in the model of usage: by which names they are known, and the events that wait for a name."""

from datetime import datetime, timedelta
from types import SimpleNamespace as Thing
from typing import Any

from tests.simulation.usage_model import Book, untimely


class Customers:
    """Books by customer id. names: of each customer, its id first, in the order in which they were given."""

    def __init__(self, books: dict[str, Book], names: dict[str, list[str]]) -> None:
        self.books, self.names, self.waiting = books, names, list[Thing]()

    def advance(self, to: datetime) -> None:
        for book in self.books.values():
            book.advance(to)

    def owner(self, name: str) -> str:
        return next((owner for owner, names in self.names.items() if name in names), "")

    def record(self, event: Thing, now: datetime) -> dict[str, Any]:
        if owner := self.owner(event.customer):
            return self.books[owner].record(event)
        result = {"status": "UNATTACHED", "reason": "UNSPECIFIED", "field": "", "lines": []}
        result |= {"is_duplicate": False, "differs": False}
        content = (event.type, event.time, event.properties, event.hold)
        for one in self.waiting:
            if (one.event.customer, one.event.name) == (event.customer, event.name):
                return result | {"is_duplicate": True, "differs": one.content != content}
        reason, field = (
            untimely(event.time, now) or (event.hold and ("HOLD_NOT_FOUND", "hold_id")) or ("", "")
        )
        if reason:
            return result | {"status": "REJECTED", "reason": reason, "field": field}
        self.waiting.append(Thing(event=event, content=content, received=now, tried=None))
        return result

    def give(self, name: str, owner: str, now: datetime) -> None:
        """Give a customer one more name; what waits for any of its names is tried, but at most once an hour."""
        self.names[owner].append(name)
        for known in self.names[owner]:
            mine = [one for one in self.waiting if one.event.customer == known]
            for one in sorted(mine, key=lambda one: (one.received, one.event.name)):
                if one.tried is None or one.tried < now - timedelta(hours=1):
                    one.tried = now
                    result = self.books[owner].record(one.event, received=one.received)
                    if result["status"] != "REJECTED":
                        self.waiting.remove(one)
