# SPDX-License-Identifier: Apache-2.0
"""Who calls, what goes wrong, and how a command says so: one clear text and a status that scripts can rely on."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.local.database import SOURCE_ROOT
from purser_cli.exits import DENIED, DONE, INTERRUPTED, REFUSED, RETRY, WRONG
from tests.rpc.purser_cli.conftest import CommandMesh
from tests.support.command_line import CommandLine
from tests.support.ledger import NOBODY

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_login_is_stored_and_used_by_the_next_commands(running: CommandMesh, tmp_path: Path) -> None:
    known = running.user(tmp_path)
    token = tmp_path / "token"
    token.write_text(known.variables["PURSER_TOKEN"] + "\n")
    stranger = CommandLine(home=tmp_path)

    made = await stranger.run(
        *("login", "--ca", known.variables["PURSER_CA_FILE"], "--token-file", str(token), *known.before)
    )

    assert (made.status, made.err) == (DONE, "")
    assert made.out.count("serving") == 4
    assert "Acme Inc." in (await stranger.run("customer", "list")).out
    who = await stranger.run("whoami")
    assert "subject   ann" in who.out
    assert "roles     operator, payments, security, usage" in who.out
    assert "in 29 days" in who.out
    assert (await stranger.run("logout")).out == "the token is forgotten\n"
    assert (await stranger.run("customer", "list")).status == DENIED


async def test_a_token_comes_from_the_standard_input_or_a_command(
    running: CommandMesh, tmp_path: Path
) -> None:
    known = running.user(tmp_path)
    token = known.variables["PURSER_TOKEN"]
    before = ("login", "--ca", known.variables["PURSER_CA_FILE"], *known.before)
    stranger = CommandLine(home=tmp_path)

    assert (await stranger.run(*before, typed=f"{token}\n")).status == DONE
    assert (await stranger.run("customer", "get", "acme")).status == DONE
    assert (await stranger.run(*before, "--token-command", f"echo {token}")).status == DONE
    assert token not in (tmp_path / ".config/purser/config.toml").read_text().partition("token_command")[0]
    failing = await stranger.run(*before, "--token-command", "false")
    assert (failing.status, "'false' failed: exit status 1" in failing.err) == (DENIED, True)
    assert (await stranger.run("login", "--profile", "other", typed="")).status == DENIED
    assert (await running.user(tmp_path).run("login", "--profile", "other", typed="")).status == DENIED


@pytest.mark.parametrize(
    ("roles", "words", "status", "says"),
    [
        ("viewer", "customer suspend acme", DENIED, "(yours: viewer)"),
        ("operator", "customer get globex", REFUSED, "CUSTOMER_NOT_FOUND"),
        ("operator", "grant issue acme", WRONG, "--credit-type-id: is required"),
        (
            "operator",
            "grant issue acme --amount 1.0000001",
            WRONG,
            "--amount: 1.0000001 has more than 6 decimals",
        ),
        ("operator", "grant issue acme --amount", WRONG, "requires an argument"),
        ("operator", "grant give acme", WRONG, "No such command"),
        ("operator", "grant list acme globex", WRONG, "globex: nothing is left that this could say"),
        ("operator", "customer list --page-token x", WRONG, "page-token"),
        ("operator", "customer list --request {", WRONG, "this is not JSON"),
        ("operator", "--profile staging customer list", WRONG, "purser login --profile staging"),
        ("operator", "--ca /nowhere.pem customer list", WRONG, "/nowhere.pem"),
        ("operator", "dead-letters retry ntc_1", WRONG, "--service catalog|contract|ledger|alert"),
        ("operator", "dead-letters retry ntc_1 --service ledger", REFUSED, "DEAD_LETTER_NOT_FOUND"),
        (
            "operator",
            "dead-letters drop ntc_1 --service alert --reason r --actor a",
            REFUSED,
            "DEAD_LETTER_NOT_FOUND",
        ),
        ("operator", "--insecure customer list", RETRY, "if it speaks TLS, leave --insecure out"),
        ("operator", "dead-letters list --service leger", WRONG, "'leger' is not one of catalog"),
    ],
)
async def test_what_is_wrong_is_said_with_a_status(
    running: CommandMesh, tmp_path: Path, roles: str, words: str, status: int, says: str
) -> None:
    ended = await running.user(tmp_path, roles).run(*words.split(" "))

    assert (ended.status, ended.out) == (status, "")
    assert says in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("nonsense", "TOKEN_INVALID"),
        ("two words", "not one line without blanks"),
        ("", "there is no token: run purser login, or set PURSER_TOKEN"),
    ],
)
async def test_a_bad_token_gets_one_line(running: CommandMesh, tmp_path: Path, token: str, says: str) -> None:
    user = running.user(tmp_path)

    ended = await CommandLine(
        home=tmp_path, variables={**user.variables, "PURSER_TOKEN": token}, before=user.before
    ).run("customer", "list")

    assert (ended.status, ended.err.count("\n")) == (DENIED, 1)
    assert says in ended.err


async def test_an_expired_token_says_when_it_ended(running: CommandMesh, tmp_path: Path) -> None:
    assert running.mesh.access is not None
    old = running.mesh.access.identity.token("operator", subject="ann", valid=timedelta(days=-2))

    ended = await running.user(tmp_path, token=old).run("customer", "list")

    assert ended.status == DENIED
    assert "TOKEN_EXPIRED" in ended.err
    assert "it is valid until" in ended.err
    assert "purser login" in ended.err


async def test_a_service_that_is_away_leaves_the_key_to_try_again_with(tmp_path: Path) -> None:
    alone = CommandLine(home=tmp_path, before=("--insecure", "--address", f"contract={NOBODY}"))

    ended = await alone.run("customer", "create", "--name", "Acme")

    assert ended.status == RETRY
    assert f"contract at {NOBODY} did not answer" in ended.err
    assert "try again with --request-id made-0" in ended.err


async def test_a_write_repeated_with_its_key_has_one_effect(user: CommandLine) -> None:
    words = (
        "customer",
        "create",
        "--name",
        "Globex",
        "--aliases",
        "globex",
        "--request-id",
        "globex-1",
        "--json",
    )

    first, second = await user.run(*words), await user.run(*words)

    assert first.answer == second.answer
    other = await user.run("customer", "create", "--name", "Other", "--request-id", "globex-1")
    assert (other.status, "REQUEST_ID_REUSED" in other.err) == (REFUSED, True)


async def test_all_follows_the_pages_and_one_page_says_that_there_are_more(user: CommandLine) -> None:
    page = await user.run("product", "list", "--page-size", "2")
    every = await user.run("product", "list", "--page-size", "2", "--all", "--json")

    assert "there is more: --all, or --page-token" in page.err
    assert every.out.count('"productId"') == 7


async def test_an_untrusted_certificate_names_the_option(running: CommandMesh, tmp_path: Path) -> None:
    known = running.user(tmp_path)
    trusting = CommandLine(
        home=tmp_path, variables={"PURSER_TOKEN": known.variables["PURSER_TOKEN"]}, before=known.before
    )

    ended = await trusting.run("customer", "list")

    assert ended.status == RETRY
    assert "--ca FILE" in ended.err


async def test_a_narrow_terminal_says_what_it_leaves_out(running: CommandMesh, tmp_path: Path) -> None:
    narrow = await _process(running, tmp_path, "contract", "list", env={"COLUMNS": "60", "FORCE_COLOR": "1"})
    plain = await _process(running, tmp_path, "contract", "list", env={"COLUMNS": "60", "NO_COLOR": "1"})

    assert narrow[0] == plain[0] == DONE
    assert "not shown, because the terminal is narrow: " in narrow[2]
    assert "\x1b" not in plain[1]
    assert "Team Plan, annual" in plain[1]


async def test_a_closed_pipe_and_ctrl_c_end_a_command_quietly(running: CommandMesh, tmp_path: Path) -> None:
    user = running.user(tmp_path)
    line = f"{sys.executable} -m purser_cli {' '.join(user.before)} product list --all | head -c 1"
    piped = await asyncio.create_subprocess_shell(
        line,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **user.variables},
        cwd=SOURCE_ROOT,
    )
    out, err = await piped.communicate()
    assert (len(out), err) == (1, b"")
    following = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "purser_cli", *user.before, "tail", "--customer", "acme"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **user.variables},
        cwd=SOURCE_ROOT,
    )
    assert following.stdout is not None
    await following.stdout.readline()

    following.send_signal(signal.SIGINT)

    _, err = await following.communicate()
    assert following.returncode == INTERRUPTED
    assert b"Traceback" not in err


async def _process(
    running: CommandMesh, home: Path, *words: str, env: dict[str, str]
) -> tuple[int | None, str, str]:
    user = running.user(home)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "purser_cli", *user.before, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **user.variables, **env},
        cwd=SOURCE_ROOT,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()
