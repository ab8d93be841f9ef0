from __future__ import annotations

import pytest
from marked import hole_of

from dllm_lsp.suggest.indentation import aligned


@pytest.mark.parametrize(
    ("marked", "text", "shown"),
    [
        ("def f():\n\tx = 1\n¦\n", "        return x", "\t\treturn x"),
        ("def f():\n¦\n\treturn x\n", "    x = 1", "\tx = 1"),
        ("def f():\n    x = 1\n¦\n", "\treturn x", "    return x"),
        ("def f():\n    x = 1\n¦\n", "    return x", "    return x"),
        ("def f():\n\tx = 1\n\t¦\n", "    return x", "\treturn x"),
        ("def f():\n    x = 1\n\n    if x:\n\ty = 1\n¦\n", "    return x", "\treturn x"),
        ("def f():\n\tx =¦\n", "    1", "    1"),
        ("¦\n", "\tx", "\tx"),
        ("def f():\n\tx = 1\n\n\ndef g():\n¦\n", "    return x", "\treturn x"),
        ("def f():\n¦\n\n\ndef g():\n\tx = 1\n", "    return x", "\treturn x"),
        ("    \ndef f():\n¦\n\tx = 1\n", "    return x", "\treturn x"),
        ("def f():\n\tx = ¦\n", "1\n    if x:\n        y\n", "1\n\tif x:\n\t\ty\n"),
        ("def f():\n    x = ¦\n", "[\n\t\t1,\n\t]", "[\n        1,\n    ]"),
    ],
)
def test_indentation_is_the_documents(marked: str, text: str, shown: str) -> None:
    assert aligned(text, hole_of(marked)) == shown
