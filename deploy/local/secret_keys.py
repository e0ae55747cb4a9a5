# SPDX-License-Identifier: Apache-2.0
"""The key that encrypts webhook secrets, in the state folder. Without it, secrets in the database cannot be read."""

import os
from pathlib import Path
from typing import Final

from deploy.local.fault import Fault
from meshkit.keyring import new_key

FILE_NAME: Final = "webhook-secret-keys"


def secret_keys(state_folder: Path) -> str:
    """Return the setting PURSER_ALERT_SECRET_KEYS; a new key is made and stored (0600) if there is none.

    Raises Fault if the file cannot be read or written.
    """
    file = state_folder / FILE_NAME
    try:
        if not file.exists():
            state_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            new_file = file.with_suffix(".new")
            with os.fdopen(os.open(new_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
                out.write(new_key())
            new_file.rename(file)
        return file.read_text().strip()
    except OSError as error:
        raise Fault(f"{file} cannot be used ({error}); make it readable and writable") from error
