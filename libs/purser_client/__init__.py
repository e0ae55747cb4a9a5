# SPDX-License-Identifier: Apache-2.0
"""The Ledger's gate before every AI call, as a library: `Gate` for asyncio, `SyncGate` for threads.

See libs/purser_client/README.md.
"""

from meshkit.quantity import Credits, Quantity
from purser_client.answers import (
    Balance,
    CaptureResult,
    DebitResult,
    Denial,
    DenialReason,
    FullCap,
    GrantBalance,
    LedgerHold,
    LineResult,
    PoolBalance,
    ReachedCap,
    ShadowDenial,
)
from purser_client.faults import (
    Denied,
    GateUnreachable,
    LedgerFault,
    PurserError,
    SpoolBroken,
    SpoolFull,
)
from purser_client.file_spool import FileSpool
from purser_client.gate import Gate
from purser_client.hold import Hold
from purser_client.leases.policy import LeasePolicy
from purser_client.lines import Line, line
from purser_client.policy import FailClosed, FailOpen
from purser_client.reporting import Report
from purser_client.spool import MemorySpool, Spool, UnbilledUsage
from purser_client.sync_gate import SyncGate

__all__ = [
    "Balance",
    "CaptureResult",
    "Credits",
    "DebitResult",
    "Denial",
    "DenialReason",
    "Denied",
    "FailClosed",
    "FailOpen",
    "FileSpool",
    "FullCap",
    "Gate",
    "GateUnreachable",
    "GrantBalance",
    "Hold",
    "LeasePolicy",
    "LedgerFault",
    "LedgerHold",
    "Line",
    "LineResult",
    "MemorySpool",
    "PoolBalance",
    "PurserError",
    "Quantity",
    "ReachedCap",
    "Report",
    "ShadowDenial",
    "Spool",
    "SpoolBroken",
    "SpoolFull",
    "SyncGate",
    "UnbilledUsage",
    "line",
]
