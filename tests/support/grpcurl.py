# SPDX-License-Identifier: Apache-2.0
"""Runs a grpcurl line with `buf curl`, which is among the development tools; both use server reflection only."""

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import Any

BUF = Path(sys.executable).with_name("buf")


async def paste(line: str) -> Any:
    """Run `grpcurl -plaintext [-d JSON] ADDRESS METHOD`, or `… ADDRESS list`, and return its output.

    The output is the response as JSON, or the lines of the list. Fails with buf's message when the call fails.
    """
    words = shlex.split(line, comments=True)
    assert words[:2] == ["grpcurl", "-plaintext"]
    body = ["--data", words.pop(words.index("-d") + 1)] if "-d" in words else []
    address, method = [word for word in words[2:] if word != "-d"]
    what = [f"http://{address}", "--list-services"] if method == "list" else [f"http://{address}/{method}"]
    process = await asyncio.create_subprocess_exec(
        str(BUF),
        *("curl", "--protocol", "grpc", "--http2-prior-knowledge", *body, *what),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return said.decode().split() if method == "list" else json.loads(said)
