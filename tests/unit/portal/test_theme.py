# SPDX-License-Identifier: Apache-2.0
"""A theme sets variables and nothing else."""

from pathlib import Path

import pytest

from services.portal.public.theme import ThemeUnreadable, read_theme


@pytest.mark.parametrize(
    ("css", "is_theme"),
    [
        (":root { --purser-accent: #0a7d4f; --purser-font: 'Inter', sans-serif; }", True),
        (
            "/* ours */ @media (prefers-color-scheme: dark) { :root { --purser-text: rgb(1 2 3 / .5); } }",
            True,
        ),
        ("", True),
        ("body { display: none; }", False),
        (":root { color: red; }", False),
        (":root { --purser-accent: url(https://evil.example/x); }", False),
        (":root { --purser-accent: u\\72l(https://evil.example/x); }", False),
        ("@import 'https://evil.example/x.css';", False),
        (":root { --purser-accent: red; } </style><script>", False),
    ],
)
def test_a_theme_sets_variables_only(tmp_path: Path, css: str, *, is_theme: bool) -> None:
    path = tmp_path / "theme.css"
    path.write_text(css)

    if is_theme:
        assert read_theme(str(path)) == css
    else:
        with pytest.raises(ThemeUnreadable, match="may only set variables"):
            read_theme(str(path))


def test_a_theme_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ThemeUnreadable, match="No such file"):
        read_theme(str(tmp_path / "none.css"))
