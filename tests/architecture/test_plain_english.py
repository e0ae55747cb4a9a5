# SPDX-License-Identifier: Apache-2.0
"""Mannered phrases do not return: libs/README.md, "Plain English". Each is followed by text that it must not match."""

import re

import pytest

from tests.architecture.source import ROOT, files

CHECKED_CODE = ("libs", "deploy", "services")
# The examples of what not to write: table rows of the section that states the rules.
EXAMPLES = re.compile(r"^\| not \| but \|\n(?:\|.*\n)+", re.MULTILINE)

# Phrase, what to write instead, an example, and its neighbour that is fine.
PHRASES = (
    (r"\b(?:is|are|was|were|be|been) told\b", "receives, is notified", "the Ledger is told of it", "a story told"),
    (r"\bhears? (?:of|its|it|them|so|that|in)\b", "receives", "Alert hears of it", "hearsay"),
    (r"\bnews up to\b|\bits news\b", "queued notices", "hears its news", "is newsworthy"),
    (r"\bdo(?:es)? not mind\b", "is ignored, is harmless", "a caller does not mind", "remind"),
    (r"\bin our words\b", "translates", "faults in our words", "in words"),
    (r"\bthe sooner\b", "faster, earlier", "is the sooner back", "sooner or later"),
    (r"\bof (?:its|his|their) own(?=\s*[.,;:)]|\s*$)", "its own X", "a name of its own.", "the state of its own pool"),
    (r"\bbesides\b", "also, plus", "and a lock besides", "beside the server"),
    (r"\bfor ever\b", "forever", "kept for ever", "forever"),
    (r"\bby the door\b", "is injected", "time comes in by the door", "by the window"),
    (r"\bof the house\b|\bthe house's\b", "our rules", "the rules of the house", "a warehouse"),
    (r"\bits law\b|\bthe laws? (?:of|above)\b", "rules", "its law is the README", "a flaw"),
    (r"\b(?:calls|those) in hand\b|\bin hand are\b", "running calls", "those in hand are finished", "in handy form"),
    (r"\bwhat is so\b|\bis so by the clock\b", "what holds", "what is so at an instant", "what is sold"),
    (r"\ball that is (?:missing|wrong|due|left|there)\b", "everything", "all that is wrong", "all that it has"),
    (r"\bbrings about\b", "carries out, causes", "brings about what is due", "brings a result"),
)  # fmt: skip


def _found(text: str) -> list[str]:
    """The mannered phrases of a text, as written."""
    plain = EXAMPLES.sub("", text)
    return [
        match[0]
        for phrase, *_ in PHRASES
        for match in re.finditer(phrase, plain, re.IGNORECASE | re.MULTILINE)
    ]


def _written() -> list[str]:
    """Documents and protos, and the code of the folders that are checked so far; what is generated is not written."""
    return [
        str(path)
        for path in files()
        if (path.suffix in (".md", ".proto") or (path.suffix == ".py" and path.parts[0] in CHECKED_CODE))
        and path.parts[:2] != ("libs", "purser")
    ]


def test_no_mannered_phrase_returns() -> None:
    found = {path: _found((ROOT / path).read_text()) for path in _written()}

    assert {path: phrases for path, phrases in found.items() if phrases} == {}


@pytest.mark.parametrize(("phrase", "instead", "mannered", "plain"), PHRASES)
def test_a_mannered_phrase_is_caught_and_its_neighbour_is_not(
    phrase: str, instead: str, mannered: str, plain: str
) -> None:
    assert re.search(phrase, mannered, re.IGNORECASE), f"say {instead}"
    assert not re.search(phrase, plain, re.IGNORECASE)


def test_the_examples_of_the_style_guide_are_left_out() -> None:
    example = "| not | but |\n|---|---|\n| it is told | it receives |\n"

    assert _found(example) == []
    assert _found("| it is told | it receives |\n") == ["is told"]
