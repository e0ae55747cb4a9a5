# SPDX-License-Identifier: Apache-2.0
"""The Catalog: what the vendor sells and for how much. Its rules: services/catalog/README.md."""
