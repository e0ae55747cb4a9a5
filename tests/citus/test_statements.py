# SPDX-License-Identifier: Apache-2.0
"""Every text of SQL in the Ledger's store is known, and has run on Citus."""

import os
from pathlib import Path

import pytest

from services.ledger.store.citus import narrowed
from services.ledger.store.credits import snapshot
from tests.citus import recording
from tests.citus.recording import STATEMENTS, Recorded
from tests.citus.statements import Text, canonical, never_ran, texts_of_store

# Looks like SQL and is never sent: it says that pools are locked one by one.
NOT_SENT = ("each FOR UPDATE OF p NOWAIT",)

needs_recording = pytest.mark.skipif(
    STATEMENTS not in os.environ,
    reason="make citus records what runs on Citus; deploy/citus/README.md says how one gets Citus",
)


@pytest.fixture
def recorded() -> Recorded:
    return recording.read(Path(os.environ[STATEMENTS]))


@needs_recording
def test_citus_refused_no_statement(recorded: Recorded) -> None:
    assert recorded.refused == {}


@needs_recording
def test_every_text_of_sql_in_the_store_has_run_on_citus(recorded: Recorded) -> None:
    missing = never_ran(texts_of_store(), recorded.ran)

    assert [text for text in missing if text.pieces != NOT_SENT] == []


def test_the_texts_of_the_store_are_found() -> None:
    files = {text.place.partition(":")[0] for text in texts_of_store()}

    assert {"credits/snapshot.py", "credits/writing.py", "retention.py", "gate/caps.py"} <= files


def test_a_text_is_found_in_its_statement_for_one_customer() -> None:
    sql = snapshot._ACCOUNTS
    found = (one for one in texts_of_store() if one.is_in(canonical(sql)))
    text = max(found, key=lambda one: sum(map(len, one.pieces)))

    assert never_ran([text], [narrowed(sql, "$1")]) == []
    assert never_ran([text], [narrowed(sql, "$1").replace("LEFT JOIN", "JOIN")]) == [text]


def test_pieces_must_stand_in_their_order() -> None:
    text = Text("a.py:1", ("SELECT a", "FROM b"))

    assert text.is_in("SELECT a, c FROM b")
    assert not text.is_in("FROM b SELECT a")
