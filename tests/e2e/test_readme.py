# SPDX-License-Identifier: Apache-2.0
"""The README's examples work: its Python runs, its grpcurl line gets the answer shown, and it shows the real demo."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from deploy.local import database
from deploy.local.seatsco import ASSISTANT, SUMMARY
from deploy.local.seed import seed
from meshkit.quantity import MICROS
from tests.support.grpcurl import paste
from tests.support.mesh import SwitchedMesh, acme_at, secured
from tests.support.postgres import Databases

README = (database.SOURCE_ROOT / "README.md").read_text()
LEDGER = "127.0.0.1:7003"
ACCESS_FOLDER = ".purser/access"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


async def test_the_python_of_the_readme_asks_uses_and_is_denied(databases: Databases, tmp_path: Path) -> None:
    [code] = [block for block in _blocks("python") if LEDGER in block]
    asked: list[str] = []
    printed: list[str] = []

    async def ask_model(text: str) -> tuple[str, int]:
        asked.append(text)
        return "a short text", 1_500_000

    access = secured(tmp_path)
    async with SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses, access.identity) as acme:
            names: dict[str, Any] = {
                "AI_SUMMARY": acme.offer.usage[SUMMARY],
                "ask_model": ask_model,
                "print": printed.append,  # the services log to the same output
            }
            assert code.count(LEDGER) == 1
            here = code.replace(LEDGER, mesh.addresses["ledger"]).replace(ACCESS_FOLDER, str(tmp_path))
            exec(here, names)

            await names["main"]()
            left = await acme.available()
            await names["main"]()  # the same call again, with the same request ids
            left_after_a_repetition = await acme.available()
            await acme.debit(380)
            denied = await names["summarise"](acme.stubs.gate, "call-2", "user_1234", "another text")

    assert printed == ["a short text"] * 2
    assert left == left_after_a_repetition == 400 * MICROS - 10_500_000  # 1.5 units at 7 credits
    assert denied == "Not now: DENIAL_REASON_INSUFFICIENT_CREDITS"
    assert asked == ["a long text"] * 2


async def test_the_grpcurl_line_of_the_readme_answers_as_shown(databases: Databases, tmp_path: Path) -> None:
    [line] = [block for block in _blocks("sh") if block.startswith("grpcurl")]
    [shown] = _blocks("json")

    access = secured(tmp_path)
    async with SwitchedMesh(databases, access=access) as mesh:
        await mesh.start()
        seeded = await seed(mesh.addresses, access.identity)
        here = line.replace(LEDGER, mesh.addresses["ledger"]).replace(ACCESS_FOLDER, str(tmp_path))
        answer = await paste(here.replace("prd_…", seeded.offer.usage[ASSISTANT]))

    assert answer.keys() == json.loads(shown).keys()
    for name, value in json.loads(shown).items():
        if value.endswith("…"):
            assert answer[name].startswith(value.removesuffix("…"))
        else:
            assert answer[name] == value


def test_the_demo_says_what_the_readme_shows_in_that_order(demo: subprocess.CompletedProcess[str]) -> None:
    shown = [line for line in "".join(_blocks("text")).splitlines() if line]

    lines = iter([line.rstrip() for line in demo.stdout.splitlines()])
    missing = [
        line for line in shown if line not in lines
    ]  # `in` advances the iterator to the line, or to the end

    assert missing == []
