# SPDX-License-Identifier: Apache-2.0
"""The key that encrypts webhook secrets, in the state folder. Without it, secrets in the database cannot be read."""

from pathlib import Path
from typing import Final

from deploy.local.fault import Fault
from meshkit.files import PRIVATE, replace_file
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
            replace_file(file, new_key().encode(), mode=PRIVATE)
        return file.read_text().strip()
    except OSError as error:
        raise Fault(f"{file} cannot be used ({error}); make it readable and writable") from error
