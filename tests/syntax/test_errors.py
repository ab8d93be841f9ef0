from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marked import hole_of

from dllm_lsp.languages.known import KNOWN
from dllm_lsp.syntax.errors import breaks
from dllm_lsp.syntax.grammars import parser

BODY = "def f(x):\n    ¦\n    return x\n"


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("x = ¦", "f(a)"),
        ("print(¦)", "a, b"),
        ("print('¦')", "text"),
        ("'''¦", "Explain."),
        ("x = [¦", "1, 2,"),
        (BODY, "if x:"),
        (BODY, "x = f("),
        (BODY, "try:"),
        (BODY, "# it's fine)"),
        ("class A:\n    ¦\n    def f(self): ...\n", "@property"),
        ("if x:\n    y()\n¦\n    z()\n", "else:"),
        ("try:\n    f()\n¦\nx = 1\n", "except Error:"),
        ("x = {\n    'a': 1,\n    ¦\n}\n", "'b': 2,"),
        ("async def f():\n    ¦\n", "await g()"),
        ('"""Words of a docstring.\n\nAnd more ¦\n"""\nx = 1\n', "words, (see below)."),
        ("            x = 1\n    ¦\n", "def f(self):"),
        ("def f(x):¦\n", "\n    y = x\n    return y\n\n\nf(1)"),
        ("class A:\n    def f(self):\n        ¦\n", "x = 1\n\n    def g(self):\n        pass\n\n\nA()"),
        ("            x = 1\n            ¦\n", "y = 2\n        z = 3\nw = 4"),
        (BODY, "if x:\n        y = [\n            1,"),
    ],
)
def test_unfinished_and_finished_code_is_no_error(marked: str, text: str) -> None:
    assert not breaks(hole_of(marked), text)


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("x = ¦", "f(a]"),
        ("x = ¦", "= 3"),
        ("x = ¦", "'text"),
        ("if ¦", "x = 3:"),
        ("for i in ¦\n", "range(3)"),
        (BODY, "    y = 1"),
        (BODY, "else:"),
        ("def f(x):\n¦\n    return x\n", "y = 1"),
        ("x = [\n    1,\n    ¦\n]\n", "2]"),
        ("print(a¦)", " b"),
        ("print(f'{a¦}')", "}"),
        ("x¦", " = )"),
        ("def f(x):¦\n", "\n    y = x\n      return y"),
        ("def f(x):¦\n", "\n    y = x\n    return = y"),
        (BODY, "y = x\n    else:"),
        (BODY, "y = x\nz = 1"),
        ("x = [¦]\n", "\n    1,\n    2]\n"),
    ],
)
def test_new_errors_are_found(marked: str, text: str) -> None:
    assert breaks(hole_of(marked), text)


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("%timeit ¦", "f(a)"),
        ("print(a b, ¦", "c)"),
        ("x = = ¦", "3"),
        ("def f(:\n    return 1\n\ndef g():\n    x = ¦\n", "f(a)"),
        ("class A:\n    def f(:\n        x = 1\n    def g(self):\n        y = ¦\n", "f(a)"),
    ],
)
def test_errors_that_were_there_before_are_not_the_suggestions_fault(marked: str, text: str) -> None:
    assert not breaks(hole_of(marked), text)


@pytest.mark.parametrize(
    ("language", "marked", "text"),
    [
        ("python", "def f(a¦)\n    return a\n", "b"),
        ("python", "class A:\n    def f(self, hei¦)\n        self.height = height\n", "ght"),
        ("python", "def f(a, width=¦)\n", "1"),
        ("python", "class A(¦)\n    pass\n", "B, C"),
        ("python", "for x in sorted(¦)\n    yield x\n", "items"),
        ("python", "while x[¦]\n    f()\n", "0"),
        ("python", "with open(¦)\n    f()\n", "path, 'rb'"),
        ("python", "if a:\n    b\nelif f(¦)\n    c\n", "a"),
        ("python", "if f(¦)\n", "\n    a,\n    b,\n"),
        ("python", "if x¦ == {1}\n    f()\n", ".y"),
        ("python", "async def f(¦)\n", "a, *b"),
        ("javascript", "function f(¦)\n  return 1;\n}\n", "a, b"),
        ("javascript", "if (f(¦)\n  return 1;\n}\n", "a"),
        ("typescript", "for (const x of f(¦)\n  g(x);\n}\n", "a"),
        ("go", "func f(¦)\n\treturn 1\n}\n", "a int"),
        ("rust", "fn f(¦)\n    1\n}\n", "a: i32"),
        ("java", "class A {\n    int f(int a, ¦)\n        return 1;\n    }\n}\n", "int b"),
        ("c", "int f(¦)\n    return 1;\n}\n", "int a"),
        ("cpp", "while (f(¦)\n    g();\n}\n", "a"),
    ],
)
def test_what_the_code_behind_the_cursor_lacks_is_not_the_suggestions_fault(
    language: str, marked: str, text: str
) -> None:
    assert not breaks(hole_of(marked, language), text)


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("def f(a¦)\n    return a\n", "b c"),
        ("def f(a¦)\n    return a\n", ", 1"),
        ("def f(a¦)\n    return a\n", ") -> int:"),
        ("class A(¦)\n    pass\n", "B = = C"),
        ("for x in sorted(¦)\n    yield x\n", "items]"),
        ("if x == ¦\n    f()\n", "3"),
        ("print(a¦ c)\n", " b"),
    ],
)
def test_an_unfinished_line_does_not_hide_an_error_of_the_suggestion(marked: str, text: str) -> None:
    assert breaks(hole_of(marked), text)


def test_near_errors_of_others_a_new_one_is_still_found() -> None:
    marked = "class A:\n    def f(:\n        x = 1\n    def g(self):\n        y = ¦\n        z = 1\n"
    assert breaks(hole_of(marked), "1 = = 2")
    assert breaks(hole_of(marked), "1\n        z = = 2")
    assert not breaks(hole_of(marked), "1\n        z = 2")


GOOD = [
    ("javascript", "const x = ¦;\n", "f(a)"),
    ("javascript", "function f(a) {\n  ¦\n}\n", "if (a) {"),
    ("javascript", "f(¦", "a, {"),
    ("javascript", "const x = `a\n  ¦\n`;\n", "it's (text"),
    ("javascript", "  first() {\n    return 1;\n  }\n\n  ¦", "second(a) {"),
    ("javascriptreact", "const x = <p>¦</p>;\n", "it's {a}"),
    ("typescript", "function f(¦) {}\n", "a: string, b?: number"),
    ("typescript", "const x = ¦;\n", "<Shape>y"),
    ("typescriptreact", "const x = ¦;\n", "<Shape a={1} />"),
    ("go", "func f(a int) {\n\t¦\n}\n", "if a > 0 {"),
    ("go", "func f() {\n\tx := ¦\n}\n", "[]string{"),
    ("rust", "fn f<'a>(x: &'a str) {\n    ¦\n}\n", "match x {"),
    ("rust", "let x = ¦;", 'Some("a")'),
    ("java", "class A {\n    ¦\n}\n", "public int f() {"),
    ("java", "    int f() {\n        return 1;\n    }\n\n    ¦", "@Override"),
    ("java", "/**\n * ¦\n */\nclass A {}\n", "Doesn't do (much"),
    ("c", "int f(void) {\n    ¦\n}\n", "for (int i = 0;"),
    ("c", "#define MAX ¦\nint x;\n", "(1 + 2)"),
    ("cpp", "class A {\n  ¦\n};\n", "std::vector<int> v_{1'000};"),
    ("cpp", "auto x = ¦;\n", "[&](int a) {"),
]
BAD = [
    ("javascript", "const x = ¦;\n", "f(a]"),
    ("javascript", "f(¦\n", "'text"),
    ("javascript", "  first() {\n    return 1;\n  }\n\n  ¦\n", "second(a {"),
    ("javascriptreact", "const x = <p>¦</p>;\n", "{a b}"),
    ("typescript", "function f(¦) {}\n", "a: string b: number"),
    ("typescript", "const x = ¦;\n", "<Shape a={1} />"),
    ("typescriptreact", "const x = ¦;\n", "<Shape a={1} />)"),
    ("go", "func f(a int) {\n\t¦\n}\n", "if a > 0 )"),
    ("rust", "let x = ¦;", "= ="),
    ("java", "class A {\n    ¦\n}\n", "public int f( {"),
    ("c", "int f(void) {\n    return ¦;\n}\n", "a b"),
    ("c", "int f(void) {\n    puts(¦);\n}\n", '"text'),
    ("cpp", "auto x = ¦;\n", "f(a b)"),
    ("cpp", "void f() {\n  ¦\n  g();\n}\nint y;\n", "}}"),
]
WRONG = {
    "javascript": ("function f(a b) {\n  x = = 1;\n}\n\n¦\nconst z = 1;\n", "const y = f(a"),
    "javascriptreact": ("const a = <p>(</p>;\n\nlet b = = 1;\n¦\nconst z = 1;\n", "const y = <p a={a"),
    "typescript": ("let a: = = 1;\n\n¦\nconst z = 1;\n", "const y: A = f(a"),
    "typescriptreact": ("let a: = = 1;\n\n¦\nconst z = 1;\n", "const y: A = f(a"),
    "go": ("package a\n\nvar x = = 1\n\n¦\nvar z = 1\n", "var y = f(a"),
    "rust": ("fn f() {\n    let x = = 1;\n}\n\n¦\nconst Z: i32 = 1;\n", "const Y: i32 = f(a"),
    "java": ("class A {\n    int x = = 1;\n    ¦\n    int z = 1;\n}\n", "int y = f(a"),
    "c": ("int x = = 1;\n\n¦\nint z = 1;\n", "int y = f(a"),
    "cpp": ("int x = = 1;\n\n¦\nint z = 1;\n", "int y = f(a"),
}


@pytest.mark.parametrize(("language", "marked", "text"), GOOD)
def test_other_languages_may_be_unfinished_too(language: str, marked: str, text: str) -> None:
    assert not breaks(hole_of(marked, language), text)


@pytest.mark.parametrize(("language", "marked", "text"), BAD)
def test_new_errors_are_found_in_other_languages(language: str, marked: str, text: str) -> None:
    assert breaks(hole_of(marked, language), text)


@pytest.mark.parametrize("language", WRONG)
def test_in_wrong_code_only_new_errors_count(language: str) -> None:
    marked, text = WRONG[language]
    hole = hole_of(marked, language)
    closed = "} />;" if "<p" in text else ");"
    assert not breaks(hole, text + closed)
    assert breaks(hole, f"{text} b{closed}")


def test_every_grammar_is_tried() -> None:
    dialects = {d.id for language in KNOWN for d in language.dialects if d.grammar} - {"python"}
    assert dialects == {name for name, *_ in GOOD} == {name for name, *_ in BAD} == WRONG.keys()


def test_several_lines_are_judged_as_one_text() -> None:
    hole = hole_of("int x = = 1;\n\nint f(int a) {\n    ¦\n}\n", "c")
    assert not breaks(hole, "if (a) {\n        return 1;\n    }")
    assert breaks(hole, "if (a) {\n        return 1];\n    }")


def test_there_is_no_opinion_without_a_grammar() -> None:
    assert not breaks(hole_of("x = ¦;", "cobol"), "= =")


@pytest.fixture
def unloadable() -> Iterator[None]:
    """Go's grammar is not installed."""
    parser.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tree_sitter_go", None)
        yield
    parser.cache_clear()


@pytest.mark.usefixtures("unloadable")
def test_a_grammar_that_cannot_be_loaded_is_done_without() -> None:
    assert not breaks(hole_of("var x = ¦\n", "go"), "= =")
    assert breaks(hole_of("let x = ¦;\n", "rust"), "= =")


any_text = st.text(st.characters(), max_size=60)


@given(any_text, any_text, any_text, st.sampled_from(["python", *WRONG]))
def test_any_text_gets_an_answer(before: str, after: str, text: str, language: str) -> None:
    marked = before.replace("¦", "") + "¦" + after.replace("¦", "")
    assert breaks(hole_of(marked, language), text) in {True, False}
