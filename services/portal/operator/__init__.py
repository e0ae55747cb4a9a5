# SPDX-License-Identifier: Apache-2.0
"""The pages of operators, in the order of the navigation."""

from collections.abc import Sequence
from typing import Any

PAGES: Sequence[Any] = ()
