"""Shingles ignore layout, find shared programs and tell near duplicates from new text."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.training.corpus.shingles import WIDTH, Seen, shares_any, shingles, telling_shingles


def words(count, seed):
    return [f"name{random.Random(seed).randrange(10**6)}_{seed}_{index}" for index in range(count)]


@given(st.lists(st.sampled_from(["a", "b", "(", ")", "1", "é"]), max_size=3 * WIDTH))
def test_layout_does_not_count(tokens):
    spaced, broken = " ".join(tokens), "\n\t".join(tokens)
    assert np.array_equal(shingles(spaced), shingles(broken))
    assert len(shingles(spaced)) <= max(0, len(tokens) - WIDTH + 1)


def test_one_changed_token_changes_every_run_that_holds_it():
    tokens = words(3 * WIDTH, seed=1)
    changed = [*tokens[:WIDTH], "other", *tokens[WIDTH + 1 :]]
    common = np.intersect1d(shingles(" ".join(tokens)), shingles(" ".join(changed)))
    assert len(common) == len(tokens) - WIDTH + 1 - WIDTH


def test_the_order_of_tokens_counts():
    tokens = words(WIDTH, seed=2)
    assert not shares_any(shingles(" ".join(tokens)), shingles(" ".join(reversed(tokens))))


def test_runs_of_literals_do_not_tell_programs_apart():
    literals = ", ".join(map(str, range(40)))
    program = f"def {' '.join(words(WIDTH, seed=3))} = [{literals}]"
    assert shares_any(shingles(program), telling_shingles(program))
    assert not shares_any(shingles(f"x = [{literals}]"), telling_shingles(program))


def test_a_program_of_few_words_keeps_all_its_shingles():
    program = "x = " + " + ".join("x" * 20)
    assert np.array_equal(telling_shingles(program), shingles(program))


def test_near_duplicates_are_known_and_new_text_is_not():
    seen = Seen()
    tokens = words(2000, seed=4)
    seen.add(" ".join(tokens), shingles(" ".join(tokens)))
    edited = [*tokens[:1000], "edited", *tokens[1001:]]
    half_new = tokens[:600] + words(1400, seed=5)
    assert seen.has_nearly(shingles(" ".join(edited)))
    assert not seen.has_exactly(" ".join(edited))
    assert not seen.has_nearly(shingles(" ".join(half_new)))
    assert seen.has_exactly(" ".join(tokens))
