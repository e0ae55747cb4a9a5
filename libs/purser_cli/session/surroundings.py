# SPDX-License-Identifier: Apache-2.0
"""What a command gets from the process that it runs in; only `__main__` reads it from there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshkit.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """variables: of the environment. home: the user's folder. new_id: makes idempotency keys. pause: waits, in seconds.

    words: of the command line, or of the one that the shell completes: what they do not name is not built.
    """

    variables: Mapping[str, str]
    home: Path
    clock: Clock
    new_id: Callable[[], str]
    pause: Callable[[float], None]
    words: Sequence[str] | None = None

    @property
    def profiles(self) -> Path:
        """Return the file of the stored profiles."""
        base = self.variables.get("XDG_CONFIG_HOME")
        return (Path(base) if base else self.home / ".config") / "purser" / "config.toml"
