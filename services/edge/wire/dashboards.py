# SPDX-License-Identifier: Apache-2.0
"""Links to pages. Colours and options are the portal's, so those of the body have no effect."""

from typing import Annotated, ClassVar, Literal

from services.edge.wire.fields import LOWER, Body


class GetEmbeddableUrl(Body):
    ignores: ClassVar[frozenset[str]] = frozenset(
        {"bm_group_key_overrides", "color_overrides", "dashboard_options"}
    )

    customer_id: str
    dashboard: Annotated[Literal["invoices", "usage", "credits", "commits_and_credits"], LOWER]
