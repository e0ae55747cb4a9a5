# SPDX-License-Identifier: Apache-2.0
"""What Contract's runtime role may do; `migrate` grants it. A table that is not named here: all rows may be changed."""

from typing import Final

from meshkit.privileges import Privileges

PRIVILEGES: Final = Privileges(
    append_only={
        "account_credit_entries",
        "audit_events",
        "auto_top_up_orders",
        "billed_periods",
        "corrected_prices",
        "credit_note_lines",
        "credit_notes",
        "document_numbers",
        "invoice_charge_parts",
        "invoice_lines",
        "invoice_parties",
        "invoice_payments",
        "promised_seats",
        "seat_change_voids",
        "seat_changes",
        "seat_steps",
    }
)
