from __future__ import annotations

import pytest
from marked import snapshot_of

from dllm_lsp.context.inside import inside


@pytest.mark.parametrize(
    ("marked", "place"),
    [
        ("¦", None),
        ("a = ¦", None),
        ("# a¦", "comment"),
        ("# a¦\nb", "comment"),
        ("#¦", "comment"),
        ("¦# a", None),
        ("a = 1  # b¦ c\r\n", "comment"),
        ("# it's\na = ¦", None),
        ("a = 'b¦", "string"),
        ("a = '¦'", "string"),
        ("a = ''¦", None),
        ("a = ¦''", None),
        ("a = f'{b¦}'", "string"),
        ("a = '# b¦'", "string"),
        ('def f():\n    """A\n\n    b¦\n    """\n', "string"),
        ('def f():\n    """A\n    b¦\n', "string"),
        ('def f():\n    """A"""\n    ¦\n', None),
        ("a = [¦]", None),
    ],
)
def test_in_python(marked: str, place: str | None) -> None:
    assert inside(snapshot_of(marked)) == place


@pytest.mark.parametrize(
    ("language", "marked", "place"),
    [
        ("go", "/* a\n b¦\n*/", "comment"),
        ("go", "/* a */¦", None),
        ("go", "// a¦", "comment"),
        ("go", "a := `b\n¦`", "string"),
        ("rust", "fn f<'a>(¦", None),
        ("shellscript", "# a¦", "comment"),
    ],
)
def test_in_other_languages(language: str, marked: str, place: str | None) -> None:
    assert inside(snapshot_of(marked, language=language)) == place
