# SPDX-License-Identifier: Apache-2.0
"""The routes, one file per subject: each calls rpcs and leaves the translation to the file of its name in wire/."""

from services.edge.exchange import Entry
from services.edge.routes import (
    alerts,
    audit,
    balances,
    contracts,
    customers,
    dashboards,
    edits,
    invoices,
    pricing,
    rates,
    seats,
    usage,
)

ENTRIES: tuple[Entry, ...] = tuple(
    entry
    for subject in (
        pricing,
        rates,
        customers,
        contracts,
        edits,
        seats,
        balances,
        alerts,
        usage,
        invoices,
        dashboards,
        audit,
    )
    for entry in subject.ENTRIES
)
