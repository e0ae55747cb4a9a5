# SPDX-License-Identifier: Apache-2.0
"""What an unreachable Ledger means. The caller chooses; the default is no AI call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from purser_client.spool import Spool, Unbilled

OnUnbilled = Callable[[Unbilled], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailClosed:
    """No AI call without the Ledger's leave: GateUnreachable is raised instead.

    spool: keeps what was captured of holds taken before the Ledger went away; without one, GateUnreachable is
    raised at the end of such a block, and that usage is not billed. on_unbilled: as in FailOpen.
    """

    spool: Spool | None = None
    on_unbilled: OnUnbilled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOpen:
    """AI calls go on without the Ledger: what they use is recorded, and reported when it is back.

    spool: where; a FileSpool loses nothing, a MemorySpool what is pending when the process dies. Once it is full the
    gate fails closed. on_unbilled: hears, in the gate's event loop, of usage that the Ledger then refuses to bill
    (the credits are gone), at least once; `gate.unbilled` lists it. A "no" is never overruled: denied is denied.
    """

    spool: Spool
    on_unbilled: OnUnbilled | None = None


Unreachable: TypeAlias = FailClosed | FailOpen
