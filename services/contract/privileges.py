# SPDX-License-Identifier: Apache-2.0
"""What Contract's runtime role may do; `migrate` grants it. A table that is not named here: all rows may be changed."""

from typing import Final

from meshkit.privileges import Privileges

PRIVILEGES: Final = Privileges(
    append_only={"audit_events", "billed_periods", "invoice_lines", "seat_changes"}
)
