# SPDX-License-Identifier: Apache-2.0
"""Contracts: signing, editing, showing, and what has become of them. terms.py has the words that they share."""
