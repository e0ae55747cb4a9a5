# SPDX-License-Identifier: Apache-2.0
"""The pages of operators, in the order of the navigation. A module without a NAME is reached from the others."""

from services.portal.operator import (
    acting,
    audit,
    contracts,
    credits,
    customers,
    dead_letters,
    deliveries,
    explain,
    limits,
    mesh,
)

PAGES = (customers, contracts, credits, limits, explain, acting, deliveries, dead_letters, audit, mesh)
