# SPDX-License-Identifier: Apache-2.0
"""Posting webhooks: what is due, the checked address, the signature, the request, the result."""
