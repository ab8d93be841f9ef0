"""What is to be read while nobody asks for anything."""

from dllm_lsp.host.ahead import KEPT, Ahead
from dllm_lsp.infill.hole import Hole


def hole(before: str = "") -> Hole:
    return Hole(before, "", "python")


def test_the_newest_document_comes_first_and_of_each_the_newest_hole() -> None:
    ahead = Ahead()
    assert ahead.next is None
    ahead.put("a.py", hole("old"))
    ahead.put("b.py", hole())
    ahead.put("a.py", hole("new"))
    assert ahead.next == ("a.py", hole("new"))
    ahead.drop("a.py")
    assert ahead.next == ("b.py", hole())


def test_no_more_documents_are_read_than_may_be_worked_on() -> None:
    ahead = Ahead()
    names = [f"{number}.py" for number in range(KEPT + 2)]
    for name in names:
        ahead.put(name, hole())
    left = []
    while (wanted := ahead.next) is not None:
        left.append(wanted[0])
        ahead.finish(*wanted)
    assert left == names[:1:-1]


def test_the_end_of_an_older_hole_is_not_that_of_a_newer_one() -> None:
    ahead, old = Ahead(), hole()
    ahead.put("a.py", old)
    ahead.put("a.py", hole())
    ahead.finish("a.py", old)
    assert ahead.next == ("a.py", hole())
