# SPDX-License-Identifier: Apache-2.0
"""The pages of a customer, in the order of the navigation."""

from services.portal.customer import (
    alerts,
    auto_top_up,
    balance,
    caps,
    card,
    invoices,
    plan,
    seats,
    top_ups,
    usage,
)

PAGES = (balance, usage, caps, seats, plan, top_ups, auto_top_up, card, invoices, alerts)
