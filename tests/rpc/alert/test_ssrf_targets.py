# SPDX-License-Identifier: Apache-2.0
"""The corpus of targets that attackers try (ssrf_targets.txt): none is posted to, and their neighbours are."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from services.alert.domain.target import target_of
from services.alert.webhooks.resolver import SystemResolver
from services.alert.webhooks.targets import CheckedTargets

CORPUS = [
    line.split()
    for line in (Path(__file__).parent / "ssrf_targets.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
NO_ADDRESS = "-"


class Names:
    """Answers as the corpus says; asks the machine only for numbers, which need no name server."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._machine = SystemResolver()

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        if self._addresses:
            return [one for one in self._addresses if one != NO_ADDRESS]
        assert all(part[0].isdigit() for part in host.split(".")), f"the corpus does not say what {host} is"
        return await self._machine.resolve(host, port)


@pytest.mark.parametrize(("verdict", "url", "addresses"), [(v, u, tuple(a)) for v, u, *a in CORPUS])
async def test_a_target_is_refused_or_allowed_as_the_corpus_says(
    verdict: str, url: str, addresses: tuple[str, ...]
) -> None:
    targets = CheckedTargets(Names(addresses), allow_private=False)

    try:
        target_of(url)
    except ValueError:
        found = "refused"
    else:
        found = "allowed" if await targets.refusal(url) is None else "refused"

    assert found == verdict


def test_the_corpus_is_large_enough() -> None:
    assert sum(verdict == "refused" for verdict, *_ in CORPUS) >= 60
