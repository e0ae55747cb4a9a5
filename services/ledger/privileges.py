# SPDX-License-Identifier: Apache-2.0
"""What Ledger's runtime role may do; `migrate` grants it. A table that is not named here: all rows may be changed."""

from typing import Final

from meshkit.privileges import Privileges

PRIVILEGES: Final = Privileges(
    append_only={
        *("audit_events", "balance_adjustments", "copy_repairs", "debt_entries", "entries"),
        *("lifted_spend_caps", "usage_corrections"),
    },
    truncated={"requests_0", "requests_1", "requests_2"},  # store/retention.py empties them in turn
)
