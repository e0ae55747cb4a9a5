# SPDX-License-Identifier: Apache-2.0
"""What an operator can do, by its path."""

from collections.abc import Mapping
from typing import Final

from services.portal.operator.acts import contracts, credits, deliveries
from services.portal.operator.acts.act import Act, Doing

ACTS: Final[Mapping[str, Act]] = {act.path: act for act in (*credits.ACTS, *contracts.ACTS, *deliveries.ACTS)}

__all__ = ["ACTS", "Act", "Doing"]
