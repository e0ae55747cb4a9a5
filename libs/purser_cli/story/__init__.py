# SPDX-License-Identifier: Apache-2.0
"""What happened, told for people: `purser explain`, `tail` and `verify`."""
