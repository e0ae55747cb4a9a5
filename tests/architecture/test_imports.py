# SPDX-License-Identifier: Apache-2.0
"""The import rules hold in every file, and each rule rejects a file that breaks it."""

import pytest

from tests.architecture.rules import RULES, Rule
from tests.architecture.source import Source, sources

by_promise = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.promise)


@by_promise
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    violations = rule.violations(sources())

    assert not violations, "\n".join(violations)


@by_promise
def test_a_file_that_breaks_the_rule_is_caught(rule: Rule) -> None:
    assert len(rule.violations([rule.broken()])) > 0


@by_promise
def test_the_same_text_where_the_rule_does_not_apply_is_accepted(rule: Rule) -> None:
    elsewhere = Source(rule.broken().path.with_name("test_x.py"), rule.broken_text)
    in_tests = Source(type(elsewhere.path)("tests/unit/test_x.py"), rule.broken_text)

    if "sandbox clock" in rule.promise:
        assert (
            rule.violations([Source(type(elsewhere.path)("libs/sandbox/servicer.py"), rule.broken_text)])
            == []
        )
    else:
        assert rule.violations([in_tests]) == []


def test_relative_imports_are_seen_through() -> None:
    source = Source(RULES[0].broken().path, "from ..store import pools\nfrom . import hold")

    assert [module for module, _ in source.imports()] == [
        "services.ledger.store.pools",
        "services.ledger.domain.hold",
    ]


def test_there_is_something_to_check() -> None:
    assert len(sources()) > 20
