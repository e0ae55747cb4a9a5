# SPDX-License-Identifier: Apache-2.0
"""Pages for customers and operators: a client of the four services, without any rules or tables."""
