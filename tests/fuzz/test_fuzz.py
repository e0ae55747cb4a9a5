# SPDX-License-Identifier: Apache-2.0
"""A short run of the fuzzer; `make fuzz` makes longer ones, from other seeds.

The seed is fixed, so that a suite that fails does so because of a change, not because of chance.
"""

from pathlib import Path

import pytest

from tests.fuzz.report import verdict
from tests.fuzz.run import Run
from tests.support.postgres import Databases

SEED = 20_250_601
SECONDS = 15.0


# Start and checks take 15 s on an idle machine, and minutes on a busy one.
@pytest.mark.timeout(900)
async def test_no_request_gets_an_internal_error_or_leaves_anything_stuck(
    databases: Databases, tmp_path: Path
) -> None:
    outcome = await Run(SEED, databases, tmp_path).run(SECONDS)

    assert outcome.is_good, "\n".join(verdict(outcome))
    assert [method.label for method in outcome.methods if not outcome.codes[method.label]] == []
    assert {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"} <= set(outcome.per_code())
