import pytest
import torch
from tiny_base import FILE, network, tokenizer

from dllm_lsp.training.adaptation.decoding import Completer
from dllm_lsp.training.adaptation.places import PLACES, Place, choose
from dllm_lsp.training.adaptation.task import Task
from dllm_lsp.training.files import SourceFile

OTHER = SourceFile("q==1/b.py", "python", FILE.text.replace("limit", "count"), "q==1")


@pytest.mark.parametrize("kind", PLACES)
def test_places_are_always_the_same_and_hold_what_their_kind_says(kind: str) -> None:
    places = choose([FILE, OTHER], kind, 20)
    assert places == choose([FILE, OTHER], kind, 20)
    assert sum(place.text == OTHER.text for place in places) == 10
    for place in places:
        assert place.expected.rstrip() == place.expected
        assert place.expected.count("\n") == max(0, place.lines - 1)
        assert len(place.expected) >= 3
        assert place.text[place.end] == "\n"


def test_there_have_to_be_files() -> None:
    with pytest.raises(ValueError, match="no held-out files in rust"):
        choose([FILE], "line", 3, "rust")


@pytest.mark.parametrize("alone", [True, False])
def test_what_is_written_goes_on_with_what_stands_before_the_cursor(alone: bool) -> None:
    net = network(trained=True)
    places = choose([FILE], "rest_of_line", 18)
    completer = Completer(tokenizer(), places, alone=alone)
    answers = list(completer.complete(net))
    assert [place for place, _ in answers] == places
    assert answers == list(completer.complete(net))
    assert all("\n" not in text for _, text in answers)


def test_the_base_alone_does_not_read_what_stands_behind_the_cursor() -> None:
    place = choose([FILE], "rest_of_line", 1)[0]
    other = Place(place.text[: place.end] + "\nnothing = 1\n", place.cursor, place.end, place.lines)
    net = network(trained=True)
    for alone in (True, False):
        texts = [text for _, text in Completer(tokenizer(), [place, other], alone=alone).complete(net)]
        assert (texts[0] == texts[1]) == alone


def test_a_network_that_has_learned_the_text_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network(trained=True)
    task = Task(tokenizer(), [FILE], {"line": 6, "few_lines": 4})

    def complete(self: Completer, net: object) -> list[tuple[Place, str]]:
        return [(place, place.expected + " " if number else "") for number, place in enumerate(self.places)]

    monkeypatch.setattr(Completer, "complete", complete)
    assert task.score(net) == {"line": pytest.approx(5 / 6, abs=1e-4), "few_lines": 0.75}
    assert torch.is_grad_enabled()
