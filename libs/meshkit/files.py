# SPDX-License-Identifier: Apache-2.0
"""Replaces a file at once, so that nobody reads half of it."""

import os
from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644


def replace_file(path: Path, content: bytes, *, mode: int) -> None:
    """Write `content` beside `path`, readable as `mode` says from the first byte on, and put it in its place.

    Raises OSError; then the former file stays.
    """
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    new.replace(path)
