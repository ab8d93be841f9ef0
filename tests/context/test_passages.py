"""A place gets the snippets of its project that tell something about it, and none that it shows already."""

import pytest

from dllm_lsp.context.passages import Passages
from dllm_lsp.context.window import hole_at
from dllm_lsp.text.snapshot import Snapshot

DISCOUNT = "def apply_discount(voucher_code):\n    return voucher_code.percentage\n"
CART = "from shop.discount import apply_discount\n\n\ntotal = apply_discount(\n"
LONG = "".join(f"def step_{n}():\n    return apply_discount({n})\n" for n in range(60))
FILES = {"shop/cart.py": CART, "shop/discount.py": DISCOUNT, "far/away.py": DISCOUNT, "shop/long.py": LONG}


@pytest.fixture
def project():
    return Passages(FILES)


def related(project, path, line, text=None, budget=400, hidden=0):
    lines = tuple((text if text is not None else FILES[path]).splitlines(keepends=True))
    snapshot = Snapshot(f"file:///{path}", None, "python", lines, line, 0)
    return project.related(path, snapshot, hole_at(snapshot, budget, budget), 9, hidden)


def test_the_file_that_is_imported_comes_first_and_what_lies_elsewhere_not_at_all(project):
    found = related(project, "shop/cart.py", 3)
    assert found[0] == DISCOUNT
    assert found.count(DISCOUNT) == 1, "far/away.py is no neighbor"


def test_the_rest_of_the_file_is_there_without_what_the_context_shows(project):
    line = 60
    found = [text for text in related(project, "shop/long.py", line) if "def step_" in text]
    assert found
    assert all("def step_30()" not in text for text in found)
    assert any("def step_0()" in text for text in found)


def test_lines_that_are_hidden_are_not_shown(project):
    short = "".join(FILES["shop/long.py"].splitlines(keepends=True)[:80])
    shown = related(project, "shop/long.py", 75, short, budget=100)
    assert any("def step_45()" in text for text in shown)
    kept = related(project, "shop/long.py", 75, short, budget=100, hidden=40)
    assert all("def step_45()" not in text for text in kept)


def test_a_file_that_the_project_does_not_know_has_related_ones_too(project):
    assert DISCOUNT in related(project, "shop/new.py", 0, "apply_discount(voucher_code)\n")
    assert related(project, "new.py", 0, "\n") == ()


def test_of_a_snippet_with_long_lines_no_more_is_shown_than_a_model_reads():
    [found] = related(Passages({"data.py": f"voucher_code = {[0] * 10_000}\n"}), "a.py", 0, "voucher_code\n")
    assert found.startswith("voucher_code = [0, 0")
    assert len(found) == 4_000
