# SPDX-License-Identifier: Apache-2.0
"""Runs a grpcurl line with `buf curl`, which is among the development tools; both use server reflection only."""

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

BUF = Path(sys.executable).with_name("buf")


async def paste(line: str) -> Any:
    """Run `grpcurl -cacert FILE [-H HEADER] [-d JSON] ADDRESS METHOD`, or `… ADDRESS list`, and return its output.

    `$(cat FILE)` is expanded as a shell does. The output is the response as JSON, or the lines of the list. Fails with
    buf's message when the call fails.
    """
    expanded = re.sub(r"\$\(cat ([^)]+)\)", lambda found: Path(found[1]).read_text().strip(), line)
    words = shlex.split(expanded, comments=True)
    assert words.pop(0) == "grpcurl"
    options = []
    for theirs, ours in (("-cacert", "--cacert"), ("-H", "--header"), ("-d", "--data")):
        if theirs in words:
            at = words.index(theirs)
            options += [ours, words[at + 1]]
            del words[at : at + 2]
    address, method = words
    what = [f"https://{address}", "--list-services"] if method == "list" else [f"https://{address}/{method}"]
    process = await asyncio.create_subprocess_exec(
        str(BUF),
        *("curl", "--protocol", "grpc", *options, *what),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return said.decode().split() if method == "list" else json.loads(said)
