# SPDX-License-Identifier: Apache-2.0
"""Mails: what they say, their form, and the mail server that takes them."""
