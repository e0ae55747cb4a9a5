# SPDX-License-Identifier: Apache-2.0
"""The pages of a customer, in the order of the navigation."""

from services.portal.customer import balance, caps, plan, seats, usage

PAGES = (balance, usage, caps, seats, plan)
