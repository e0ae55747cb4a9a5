# SPDX-License-Identifier: Apache-2.0
"""What the Catalog does, one file per rpc family: open a transaction, claim, lock, load, decide, save, tell."""

from dataclasses import dataclass

from services.catalog.operations.credit_types import CreditTypes


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """All of them, for the servicer."""

    credit_types: CreditTypes
