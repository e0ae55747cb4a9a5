# SPDX-License-Identifier: Apache-2.0
"""Usage on invoices: what was used, who paid for it, and overage as money."""
