from __future__ import annotations

from dllm_lsp.syntax.tree import errors_on_row


def test_errors_are_found_on_their_row_only() -> None:
    source = "x = 1\ny = = 2\nz = 3\n"
    assert errors_on_row(source, 1, "python") > 0
    assert errors_on_row(source, 0, "python") == 0
    assert errors_on_row(source, 2, "python") == 0


def test_missing_tokens_are_errors() -> None:
    assert errors_on_row("f(1, 2\n", 0, "python") == 1


def test_an_unknown_language_has_no_errors() -> None:
    assert errors_on_row("y = = 2", 0, "cobol") == 0
