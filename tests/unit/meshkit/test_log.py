# SPDX-License-Identifier: Apache-2.0
import io
import json
import logging
import sys
from typing import Any

import pytest
import structlog

from meshkit.log import configure


def test_an_event_is_one_json_line_with_time_level_and_service(capsys: pytest.CaptureFixture[str]) -> None:
    configure("pantry", json=True)

    structlog.get_logger().info("jar_opened", jar_id="jar_1")

    event = json.loads(capsys.readouterr().err)
    assert event.pop("time").endswith("Z")
    assert event == {"event": "jar_opened", "jar_id": "jar_1", "level": "info", "service": "pantry"}


class _Writes(io.RawIOBase):
    def __init__(self) -> None:
        self.made: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any, /) -> int:
        self.made.append(bytes(chunk))
        return len(chunk)


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_line_is_one_write_so_that_processes_sharing_stderr_never_mix_lines(
    json_lines: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = _Writes()
    # As with PYTHONUNBUFFERED, which containers usually set.
    unbuffered = io.TextIOWrapper(writes, write_through=True)
    monkeypatch.setattr(sys, "stderr", unbuffered)
    configure("pantry", json=json_lines)

    structlog.get_logger().info("jar_opened")
    logging.getLogger("some.library").warning("trouble")

    assert [chunk.count(b"\n") for chunk in writes.made] == [1, 1]
    assert all(chunk.endswith(b"\n") for chunk in writes.made)


def test_libraries_log_from_level_warning_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure("pantry", json=True)

    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("trouble with %s", "it")

    event = json.loads(capsys.readouterr().err)
    assert (event["event"], event["level"], event["service"]) == ("trouble with it", "warning", "pantry")


def test_a_caught_exception_is_in_the_event_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    configure("pantry", json=True)

    structlog.get_logger().error("jar_broken", exc_info=ValueError("glass"))

    event = json.loads(capsys.readouterr().err)
    assert event["exception"][0]["exc_type"] == "ValueError"


def test_for_a_terminal_an_event_is_readable_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure("pantry", json=False)

    structlog.get_logger().info("jar_opened", jar_id="jar_1")

    line = capsys.readouterr().err
    assert "jar_opened" in line
    assert "jar_id=jar_1" in line


@pytest.mark.parametrize("json_lines", [True, False], ids=["json", "terminal"])
@pytest.mark.parametrize("library", [True, False], ids=["library", "own code"])
def test_a_traceback_shows_where_but_no_local_variable(
    capsys: pytest.CaptureFixture[str], json_lines: bool, library: bool
) -> None:
    configure("pantry", json=json_lines)

    def break_jar(key: str) -> None:
        pin = key[::-1]
        raise ValueError(f"glass of {len(pin)} parts")

    try:
        break_jar("-".join(["olive", "oil"]))
    except ValueError:
        if library:
            logging.getLogger("some.library").exception("jar_broken")
        else:
            structlog.get_logger().exception("jar_broken")

    said = capsys.readouterr().err
    assert "glass of 9 parts" in said
    assert "break_jar" in said
    assert "olive-oil" not in said
    assert "lio-evilo" not in said
