# SPDX-License-Identifier: Apache-2.0
"""Contract: who buys what, what it costs, and when it is billed. Its rules: services/contract/README.md."""
