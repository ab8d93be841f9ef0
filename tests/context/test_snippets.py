"""Snippets are whole, the right ones come first, and nothing is shown that is seen already."""

from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.context.snippets import LINES, Index, cut, names, neighbors


def function(name, *words):
    return f"def {name}(value):\n" + "".join(f"    {word} = value\n" for word in words) + "    return value\n"


FILLER = "".join(function(f"unrelated_{n}", f"other_{n}") for n in range(60))
FILES = {
    "shop/cart.py": function("add_item", "basket", "price"),
    "shop/discount.py": function("apply_discount", "voucher_code", "percentage"),
    "shop/filler.py": FILLER,
    "far/away.py": function("send_invoice", "voucher_code", "percentage"),
}


def index_of(files):
    return Index([snippet for path, text in files.items() for snippet in cut(path, text)])


def paths_of(index, numbers):
    return [index.snippets[number].path for number in numbers]


@given(st.text(alphabet="ab \n\r\f\u2028", max_size=300))
def test_a_cut_file_is_the_file(text):
    snippets = cut("a.py", text)
    assert "".join(snippet.text for snippet in snippets) == text
    assert [snippet.line for snippet in snippets] == [n * LINES for n in range(len(snippets))]


def test_snippets_begin_where_their_line_number_says():
    text = "".join(f"line {n}\n" for n in range(LINES + 3))
    first, second = cut("a.py", text)
    assert first.text.count("\n") == LINES
    assert second.line == LINES
    assert second.text.startswith(f"line {LINES}\n")


def test_names_are_words_that_do_not_begin_with_a_digit():
    assert names("x = größe + 3abc; self.__init__(ab)") == {"größe", "self", "__init__"}


def test_the_snippet_with_the_rare_names_comes_first():
    index = index_of(FILES)
    found = index.related(["apply_discount", "voucher_code"], "shop/cart.py", range(5), 3)
    assert paths_of(index, found) == ["shop/discount.py", "far/away.py"]


def test_of_two_that_share_the_same_names_the_one_with_little_else_comes_first():
    long = function("apply_discount", *(f"unrelated_{n}" for n in range(LINES - 2)))
    index = index_of({"shop/a.py": long, "shop/b.py": function("apply_discount", "voucher_code")})
    found = index.related(["apply_discount"], "shop/cart.py", range(5), 3)
    assert paths_of(index, found) == ["shop/b.py", "shop/a.py"]


def test_a_name_that_is_everywhere_tells_nothing():
    few = index_of({path: text for path, text in FILES.items() if text is not FILLER})
    assert few.related(["value"], "shop/cart.py", range(5), 3)
    many = index_of({f"{n}.py": function(f"f{n}", "shared") for n in range(60)})
    assert many.related(["shared"], "0.py", range(5), 3) == []


def test_no_more_than_asked_for():
    index = index_of(FILES)
    assert paths_of(index, index.related(["voucher_code"], "x.py", range(0), 3)) == [
        "shop/discount.py",
        "far/away.py",
    ]
    assert len(index.related(["voucher_code"], "x.py", range(0), 1)) == 1


def test_what_is_seen_is_not_shown_again_but_the_rest_of_the_file_is():
    lines = "".join(f"first_name_{n} = second_name_{n}\n" for n in range(3 * LINES))
    index = index_of({"a.py": lines})
    wanted = [f"first_name_{n}" for n in range(3 * LINES)]
    found = index.related(wanted, "a.py", range(LINES - 1, LINES + 1), 9)
    assert [index.snippets[number].line for number in found] == [2 * LINES]
    assert len(index.related(wanted, "b.py", range(0, 9), 9)) == 3
    just_one = index.related(wanted, "a.py", range(LINES, 2 * LINES), 9)
    assert sorted(index.snippets[number].line for number in just_one) == [0, 2 * LINES]


def test_neighbors_are_the_file_its_imports_and_its_folder():
    paths = {*FILES, "shop/deep/a.py", "other/b.py"}
    assert neighbors("shop/cart.py", "import far.away\n", paths) == {
        "shop/cart.py", "shop/discount.py", "shop/filler.py", "far/away.py",
    }  # fmt: skip
    assert neighbors("new/file.py", "", paths) == {"new/file.py"}
