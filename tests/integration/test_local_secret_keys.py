# SPDX-License-Identifier: Apache-2.0
"""The key of a local mesh: made once, readable by its owner only."""

from pathlib import Path

import pytest

from deploy.local.fault import Fault
from deploy.local.secret_keys import FILE_NAME, secret_keys
from meshkit.keyring import keys_from_text


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "state"

    first = secret_keys(folder)

    assert len(keys_from_text(first)) == 1
    assert secret_keys(folder) == first != secret_keys(tmp_path / "other")
    assert (folder / FILE_NAME).stat().st_mode & 0o077 == 0
    assert [file.name for file in folder.iterdir()] == [FILE_NAME]


def test_keys_that_the_user_wrote_into_the_file_are_kept(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("new,old\n")

    assert secret_keys(tmp_path) == "new,old"


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()

    with pytest.raises(Fault, match=f"{FILE_NAME} cannot be used") as refusal:
        secret_keys(tmp_path)

    assert "\n" not in str(refusal.value)
