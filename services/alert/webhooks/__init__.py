# SPDX-License-Identifier: Apache-2.0
"""Posting: who is due, the checked address, the signature, the request, what came of it."""
