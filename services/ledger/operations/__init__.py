# SPDX-License-Identifier: Apache-2.0
"""What the Ledger does: open a transaction, load, decide (domain), save."""

from dataclasses import dataclass

from services.ledger.operations.caps import SpendCaps
from services.ledger.operations.copying import Copying
from services.ledger.operations.explaining import Explaining
from services.ledger.operations.gate import Gate
from services.ledger.operations.grants import Grants
from services.ledger.operations.reporting import Reporting


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Every rpc of the Ledger, by family."""

    gate: Gate
    explaining: Explaining
    reporting: Reporting
    copying: Copying
    grants: Grants
    caps: SpendCaps
