"""Every document gets snippets of its own package, none of which it shows already, the same ones every time."""

import random

import numpy as np
import pytest

from dllm_lsp.context.snippets import LINES
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.snippets import SnippetTable


def function(name, *words):
    return (
        f"def {name}(value):\n" + "".join(f"    {word} = value\n" for word in words) + "    return value\n\n"
    )


def source(package, path, text):
    return SourceFile(f"{package}/{path}" if package else path, "python", text, package)


LONG = "".join(function(f"step_{n}", f"alpha_{n % 30}", f"beta_{n % 30}") for n in range(90))
FILES = [
    source("one==1", "one/long.py", LONG),
    source("one==1", "one/empty.py", ""),
    source("one==1", "one/cart.py", function("apply_discount", "voucher_code", "basket")),
    source(
        "one==1",
        "one/use.py",
        "from one.cart import apply_discount\n\ntotal = apply_discount(voucher_code)\n",
    ),
    source("two==1", "two/use.py", "total = apply_discount(voucher_code)\n"),
    source("", "three/a.py", function("apply_discount", "voucher_code")),
    source("", "three/b.py", function("apply_discount", "voucher_code")),
]


@pytest.fixture(scope="module")
def table():
    return SnippetTable.build(FILES)


def picked(table, file, start, end, seed=0, count=4):
    return table.pick(file, start, end, count, random.Random(seed))


def test_a_document_gets_the_definition_from_its_own_package(table):
    found = {snippet.file for seed in range(9) for snippet in picked(table, 3, 0, 80, seed)}
    assert found == {2}
    text = FILES[2].text
    (snippet,) = next(filter(None, (picked(table, 3, 0, 80, seed) for seed in range(9))))
    assert text[snippet.start : snippet.end] == text


def test_files_without_relatives_or_a_package_get_nothing(table):
    for file in (1, 4, 5, 6):
        assert picked(table, file, 0, len(FILES[file].text)) == []


def test_snippets_are_whole_passages_and_not_what_the_document_shows(table):
    for start in range(0, len(LONG), 997):
        end = min(len(LONG), start + 1500)
        for snippet in picked(table, 0, start, end):
            assert snippet.file != 0 or snippet.end <= start or end <= snippet.start
            text = FILES[snippet.file].text
            assert text[snippet.start : snippet.end].count("\n") <= LINES
            assert snippet.start == 0 or text[snippet.start - 1] == "\n"
    assert any(
        s.file == 0 for start in range(0, len(LONG), 997) for s in picked(table, 0, start, start + 1500)
    )


def test_the_generator_decides_and_nothing_else(table):
    draws = {tuple(picked(table, 0, 4000, 5000, seed)) for seed in range(20)}
    assert len(draws) > 1
    assert picked(table, 0, 4000, 5000, 3) == picked(SnippetTable.build(FILES), 0, 4000, 5000, 3)
    assert len(picked(table, 0, 4000, 5000, 3, count=1)) <= 1


def test_a_saved_table_is_the_same_and_fits_its_corpus_only(table, tmp_path):
    table.save(tmp_path / "table.npz")
    loaded = SnippetTable.load(tmp_path / "table.npz", FILES)
    for name in ("first", "starts", "related"):
        assert np.array_equal(getattr(loaded, name), getattr(table, name))
    with pytest.raises(ValueError, match="another corpus"):
        SnippetTable.load(tmp_path / "table.npz", FILES[:-1])
    (tmp_path / "broken.npz").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"broken\.npz is no table"):
        SnippetTable.load(tmp_path / "broken.npz", FILES)
