# SPDX-License-Identifier: Apache-2.0
"""What the gate does while the Ledger is unreachable. The caller chooses; by default no AI call is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from purser_client.spool import Spool, UnbilledUsage

OnUnbilled = Callable[[UnbilledUsage], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailClosed:
    """No AI call without a decision of the Ledger: GateUnreachable is raised instead.

    spool: records captures of holds that were created before the Ledger became unreachable. Without a spool, the end
    of such a block raises GateUnreachable, and its usage is not billed. on_unbilled: as in FailOpen.
    """

    spool: Spool | None = None
    on_unbilled: OnUnbilled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailOpen:
    """AI calls continue without the Ledger. Their usage is recorded, and reported when the Ledger is reachable again.

    spool: stores the records. A FileSpool loses nothing; a MemorySpool loses what is pending when the process dies.
    When the spool is full, the gate fails closed. on_unbilled: called at least once, in the gate's event loop, for
    usage that the Ledger then refuses to bill (the credits are gone); `gate.unbilled` lists such usage. A denial by
    the Ledger always applies.
    """

    spool: Spool
    on_unbilled: OnUnbilled | None = None


Unreachable: TypeAlias = FailClosed | FailOpen
