# SPDX-License-Identifier: Apache-2.0
from tests.support.postgres import databases, postgres_server

__all__ = ["databases", "postgres_server"]
