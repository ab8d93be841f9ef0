import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tiny_model import SOURCE, tiny_tokenizer

from dllm_lsp.models.checkpoints.tokenizer import Tokenizer
from dllm_lsp.training.batches import Batch, BatchConfig, Batches
from dllm_lsp.training.files import SourceFile
from dllm_lsp.training.noise import IGNORED, NoiseConfig

TOKENIZER = tiny_tokenizer()
FILES = [
    SourceFile("a.py", "python", SOURCE),
    SourceFile("b.rs", "rust", "fn main() {}\n" + "let é = '😀';\n" * 40),
    SourceFile("empty.py", "python", ""),
    SourceFile("long.py", "python", "x" * 300),
]
CONFIG = BatchConfig(documents=3, tokens=50, holes=6, canvas=16, noise=NoiseConfig(merged=0))


def batches(seed: int = 0) -> Batches:
    return Batches(FILES, TOKENIZER, CONFIG, seed)


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_batch_is_a_function_of_its_number_and_the_seed() -> None:
    assert equal(batches()[7], batches()[7])
    assert not equal(batches()[7], batches()[8])
    assert not equal(batches()[7], batches(seed=1)[7])


@settings(max_examples=40)
@given(st.integers(0, 10**12))
def test_a_document_is_a_piece_of_a_file_in_both_directions(number: int) -> None:
    batch = batches()[number]
    for before, after, length in zip(batch.before.tolist(), batch.after.tolist(), batch.lengths, strict=True):
        begin, tokens = before[0], before[1:length]
        assert after[:length] == [begin, *reversed(tokens)]
        text = TOKENIZER.decode(tokens).rstrip("\ufffd")
        [file] = [file for file in FILES if text in file.text][:1]
        assert not text or begin == TOKENIZER.begin(file.language)
        assert length <= CONFIG.tokens + 1


@settings(max_examples=40)
@given(st.integers(0, 10**12))
def test_what_a_hole_sees_and_what_it_asks_for_make_the_document(number: int) -> None:
    batch = batches()[number]
    for row in range(CONFIG.documents):
        tokens = batch.before[row, 1 : batch.lengths[row]].tolist()
        for column in range(CONFIG.holes):
            size = int(batch.canvas_lengths[row, column])
            targets = batch.targets[row, column].tolist()
            if size == 0:
                assert set(targets) == {IGNORED}
                continue
            seen_before, seen_after = batch.visible[row, column].tolist()
            hole = tokens[seen_before - 1 : len(tokens) - (seen_after - 1)]
            assert 1 <= seen_before + len(hole) <= len(tokens) + 1
            assert len(hole) <= size <= CONFIG.canvas
            canvas = batch.canvas[row, column].tolist()
            for token, shown, target in zip(hole, canvas, targets, strict=False):
                assert target == token or (target, shown) == (IGNORED, token)
            assert targets[len(hole) : size] == [Tokenizer.delete] * (size - len(hole))
            assert set(targets[size:]) <= {IGNORED}
            assert batch.weights[row, column, size:].sum() == 0


@settings(max_examples=40)
@given(st.integers(0, 10**12))
def test_a_hole_that_cuts_a_word_begins_where_the_word_does(number: int) -> None:
    batch = batches()[number]
    for row, column in batch.canvas_lengths.nonzero().tolist():
        before, after = batch.visible[row, column].tolist()
        tokens = batch.before[row, 1 : batch.lengths[row]].tolist()
        line = TOKENIZER.decode(tokens[: before - 1]).rpartition("\n")[2]
        hole = TOKENIZER.decode(tokens[before - 1 : len(tokens) - (after - 1)])
        if line.strip() and "\ufffd" not in line:
            apart = TOKENIZER.encode(f"\n{line}") + TOKENIZER.encode(hole)
            assert TOKENIZER.encode(f"\n{line}{hole}") == apart


def test_there_are_holes() -> None:
    assert sum(int((batches()[number].canvas_lengths > 0).sum()) for number in range(10)) > 25


def test_no_files_are_refused() -> None:
    with pytest.raises(ValueError, match="no source files"):
        Batches([], TOKENIZER, CONFIG, 0)


def test_documents_are_of_the_languages_that_are_asked_for() -> None:
    files = [*FILES, SourceFile("c.ts", "typescript", "const answer = 42\n" * 40)]
    config = structs.replace(CONFIG, languages=("typescript",))
    batches = Batches(files, TOKENIZER, config, 0)
    assert {int(batches[i].before[0, 0]) for i in range(8)} == {TOKENIZER.begin("typescript")}
    with pytest.raises(ValueError, match="of fortran"):
        Batches(files, TOKENIZER, structs.replace(CONFIG, languages=("fortran",)), 0)
