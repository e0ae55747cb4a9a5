# SPDX-License-Identifier: Apache-2.0
"""Indexes by which ListCustomers searches names and aliases.

Lock: none; both are built concurrently. Punctuation in names is made spaces: otherwise the parser would take
"a/b" for a path, and find no "b". The expressions must be those of store/customer_search.py.
"""

from meshkit.migrations import build_index

revision = "0038"
down_revision = "0037"

PUNCTUATION = r"""!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~"""


def upgrade() -> None:
    build_index(
        "customers_words_idx",
        "contract.customers USING gin"
        f" (to_tsvector('simple', translate(lower(name), '{PUNCTUATION}', repeat(' ', 32))))",
        schema="contract",
    )
    build_index(
        "customer_aliases_search_idx",
        "contract.customer_aliases (lower(alias) text_pattern_ops)",
        schema="contract",
    )
