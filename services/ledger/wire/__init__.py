# SPDX-License-Identifier: Apache-2.0
"""Converts protobuf messages to the domain and back. INVALID_FIELDS names all bad fields of a request together."""
