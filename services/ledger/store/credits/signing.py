# SPDX-License-Identifier: Apache-2.0
"""Who signs the rows of a write: the caller whose request caused them, otherwise the clock.

Source: services/README.md, "Audit".
"""

from collections.abc import Sequence

from access import CLOCK, current_call
from services.ledger.domain.credits.entry import Entry
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import NewEvent, NewResponse
from services.ledger.domain.gate.decision import Authorized, AuthorizedLines
from services.ledger.domain.gate.lease import Leased


class Signatures:
    """The subjects of one write. What is neither answered nor reported with it may be the present call's."""

    def __init__(self, answers: Sequence[NewResponse], events: Sequence[NewEvent]) -> None:
        self._by_cause = {(one.key[0], one.request_id): one.subject for one in answers}
        for new in events:
            if new.key is not None:
                self._by_cause[new.key[0], new.event.transaction_id] = new.subject
        self._by_hold: dict[str | None, str] = {
            one.response.hold_id: one.subject
            for one in answers
            if isinstance(one.response, (Authorized, AuthorizedLines))
        }
        self._by_hold |= {
            one.response.lease_id: one.subject for one in answers if isinstance(one.response, Leased)
        }
        call = current_call()
        self._request_id: str | None = getattr(call.request, "request_id", None)
        self._subject = call.caller.subject

    def of_entry(self, customer_id: CustomerId, entry: Entry) -> str:
        """Return who caused an entry."""
        subject = self._by_cause.get((customer_id, entry.cause_id))
        if subject is not None:
            return subject
        return self._subject if entry.cause_id == self._request_id else CLOCK.subject

    def of_hold(self, hold_id: str) -> str:
        """Return who asked for a new hold."""
        return self._by_hold.get(hold_id, CLOCK.subject)
