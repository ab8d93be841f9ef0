"""The training pass and the cached passes are the same function."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest
import torch
from tiny_model import tiny_model

from dllm_lsp.models.network.transformer import TransformerConfig
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, Streams
from dllm_lsp.models.streams.model import StreamsConfig, StreamsModel
from dllm_lsp.training.batches import Batch
from dllm_lsp.training.losses import canvas_sources, hidden_states

TEXT = 20
CANVAS_SIZE = 5


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread", "two threads"])
def model(request: pytest.FixtureRequest) -> Iterator[StreamsModel]:
    """A network on threads that attend in their own way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(request.param)
    torch.manual_seed(0)
    shape = TransformerConfig(vocabulary=50, width=32, layers=3, heads=2, feed_forward=48)
    model = StreamsModel(StreamsConfig(transformer=shape, reach=8, before=64, after=64))
    for parameter in model.parameters():  # zero-initialized projections would hide mistakes
        torch.nn.init.normal_(parameter, std=0.3)
    yield model.eval()
    torch.set_num_threads(threads)


SNIPPETS = [[5, 20, 21, 22], [5, 30, 31]]


def batch_of(
    tokens: list[int],
    holes: list[tuple[int, int]],
    canvases: torch.Tensor,
    snippets: Sequence[list[int]] = (),
) -> Batch:
    length = len(tokens) + 1
    padded = [snippet + [9] * (6 - len(snippet)) for snippet in [*snippets, []]]
    return Batch(
        before=torch.tensor([[5, *tokens]]),
        after=torch.tensor([[5, *reversed(tokens)]]),
        lengths=torch.tensor([length]),
        snippets=torch.tensor([padded]),
        snippet_lengths=torch.tensor([[*map(len, snippets), 0]]),
        canvas=canvases[None],
        targets=canvases[None],
        weights=torch.ones(1, *canvases.shape),
        canvas_lengths=torch.tensor([[canvases.shape[1]] * len(holes)]),
        visible=torch.tensor([[[start + 1, len(tokens) - end + 1] for start, end in holes]]),
    )


def training_logits(model: StreamsModel, batch: Batch) -> torch.Tensor:
    hidden = hidden_states(model, batch)
    logits = model.transformer.logits(hidden.canvases)
    found = model.copies.log_probabilities(hidden.canvases, logits, canvas_sources(model, hidden, batch))
    return found.view(*batch.canvas.shape, -1)[0]


def cached_logits(
    model: StreamsModel,
    before: list[int],
    after: list[int],
    canvas: torch.Tensor,
    pieces: int = 1,
    snippets: Sequence[list[int]] = (),
) -> torch.Tensor:
    with model.surroundings(encoded(model, before, after, pieces, snippets), len(canvas)) as around:
        [found] = model.denoise([canvas], [around])
    return found


def encoded(
    model: StreamsModel,
    before: list[int],
    after: list[int],
    pieces: int = 1,
    snippets: Sequence[list[int]] = (),
) -> Streams:
    streams = Streams(model.stream(64), model.stream(64), [model.stream(6) for _ in snippets])
    for ids, stream in zip(snippets, streams.snippets, strict=True):
        model.encode(torch.tensor(ids), BEFORE, stream)
    for role, ids in ((BEFORE, before), (AFTER, after)):
        for piece in filter(len, torch.tensor(ids).tensor_split(pieces)):
            model.encode(piece, role, streams[role])
    return streams


@torch.no_grad()
@pytest.mark.parametrize("snippets", [[], SNIPPETS], ids=["alone", "with snippets"])
def test_training_and_cached_inference_give_the_same_logits(
    model: StreamsModel, snippets: Sequence[list[int]]
) -> None:
    tokens = torch.randint(6, 50, (TEXT,)).tolist()
    holes = [(0, 3), (7, 7), (9, 14), (18, 20)]
    canvases = torch.randint(0, 50, (len(holes), CANVAS_SIZE))
    trained = training_logits(model, batch_of(tokens, holes, canvases, snippets))
    for (start, end), canvas, expected in zip(holes, canvases, trained, strict=True):
        before, after = [5, *tokens[:start]], [5, *reversed(tokens[end:])]
        for pieces in (1, 3):
            got = cached_logits(model, before, after, canvas, pieces, snippets)
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_positions_do_not_tell_the_length_of_the_hole_or_where_it_lies(model: StreamsModel) -> None:
    """Two documents alike but for what the hole hid: same streams and canvas, same logits."""
    before, after = torch.randint(6, 50, (8,)).tolist(), torch.randint(6, 50, (6,)).tolist()
    canvas = torch.randint(0, 50, (CANVAS_SIZE,))
    short = batch_of([*before, 7, *after], [(8, 9)], canvas[None])
    long = batch_of([*before, *[7] * 5, *after], [(8, 13)], canvas[None])
    torch.testing.assert_close(
        training_logits(model, short), training_logits(model, long), rtol=1e-4, atol=1e-4
    )


@torch.no_grad()
def test_a_canvas_padded_in_training_is_as_if_it_were_short(model: StreamsModel) -> None:
    tokens = torch.randint(6, 50, (TEXT,)).tolist()
    canvas = torch.randint(0, 50, (CANVAS_SIZE,))
    batch = batch_of(tokens, [(4, 9)], canvas[None])
    batch = batch._replace(canvas_lengths=torch.tensor([[3]]))
    expected = cached_logits(model, [5, *tokens[:4]], [5, *reversed(tokens[9:])], canvas[:3])
    torch.testing.assert_close(training_logits(model, batch)[0, :3], expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_stream_cut_and_grown_again_equals_a_fresh_one(model: StreamsModel) -> None:
    tokens = torch.randint(6, 50, (TEXT,))
    stream, fresh = model.stream(64), model.stream(64)
    model.encode(tokens, BEFORE, stream)
    stream.cache.truncate(7)
    model.encode(tokens[:5], BEFORE, stream)
    model.encode(torch.cat([tokens[:7], tokens[:5]]), BEFORE, fresh)
    for name in ("keys", "values"):
        found, expected = getattr(stream.cache, name), getattr(fresh.cache, name)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for found, expected in zip(stream.copyable(BEFORE), fresh.copyable(BEFORE), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_canvas_sees_the_streams_and_itself(model: StreamsModel) -> None:
    canvas = torch.randint(0, 50, (CANVAS_SIZE,))
    logits = cached_logits(model, [5, 9, 9], [5, 8, 8], canvas)
    other = canvas.clone()
    other[-1] = (other[-1] + 1) % 50
    changed = [
        cached_logits(model, [5, 10, 9], [5, 8, 8], canvas),
        cached_logits(model, [5, 9, 9], [5, 7, 8], canvas),
        cached_logits(model, [5, 9, 9], [5, 8, 8], other),
        cached_logits(model, [5, 9, 9], [5, 8, 8], canvas, snippets=SNIPPETS[:1]),
    ]
    assert all(not torch.allclose(logits[0], each[0]) for each in changed)


@torch.no_grad()
def test_canvases_of_a_pass_are_as_if_each_were_alone(model: StreamsModel) -> None:
    """Contexts and canvases of different lengths, one context serving two canvases."""
    contexts = [([5, 9, 10, 11], [5]), ([5], [5, 8, 7]), ([5, 12], [5, 6, 6, 6, 6])]
    places, lengths = [0, 1, 2, 1], [5, 3, 1, 4]
    streams = [encoded(model, *context) for context in contexts]
    canvases = list(torch.randint(0, 50, (len(places), CANVAS_SIZE)))
    with ExitStack() as stack:
        around = [
            stack.enter_context(model.surroundings(streams[place], CANVAS_SIZE + 2)) for place in places
        ]
        for _ in range(2):  # the second pass finds the first one's canvas
            shown = [canvas[:length] for canvas, length in zip(canvases, lengths, strict=True)]
            found = model.denoise(shown, around)
            for logits, place, canvas in zip(found, places, shown, strict=True):
                alone = cached_logits(model, *contexts[place], canvas)
                torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)
            canvases = [canvas.flip(0) for canvas in canvases]
            lengths = lengths[::-1]


@torch.no_grad()
def test_surroundings_stay_as_they_are_when_the_streams_go_on(model: StreamsModel) -> None:
    canvas = torch.randint(0, 50, (CANVAS_SIZE,))
    streams = encoded(model, [5, 9, 10, 11], [5, 8, 7, 6], snippets=SNIPPETS)
    with model.surroundings(streams, CANVAS_SIZE) as around:
        [expected] = model.denoise([canvas], [around])
        for role, stream in ((BEFORE, streams.before), (AFTER, streams.after)):
            stream.cache.truncate(1)
            model.encode(torch.tensor([20, 21, 22, 23, 24]), role, stream)
        [found] = model.denoise([canvas], [around])
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_reading_on_is_encoding_on(model: StreamsModel) -> None:
    for before, count in (([5, 9, 10], 4), ([5, 7, 8, 9, 9], 6), ([5], 1)):
        tokens = torch.randint(6, 50, (count,))
        stream = encoded(model, before, [5]).before
        kept = stream.cache.keys.clone()
        read = model.read_on(stream, torch.cat([torch.tensor(before[-1:]), tokens]))
        expected = model.log_likelihoods(torch.cat([torch.tensor(before), tokens]), BEFORE)
        found = read[:-1].gather(-1, tokens[:, None])[:, 0]
        torch.testing.assert_close(found, expected[len(before) - 1 :], rtol=1e-4, atol=1e-4)
        assert torch.equal(stream.cache.keys, kept), "it stays as it is"


@torch.no_grad()
def test_what_can_be_copied_is_likely_when_the_gate_is_open(model: StreamsModel) -> None:
    wide = copy.deepcopy(model)
    torch.nn.init.constant_(wide.copies.gate.bias, 50.0)
    found = cached_logits(wide, [5, 9, 10], [5, 8, 7, 6], torch.zeros(2, dtype=torch.long)).exp()
    # Nothing stands left of 6, the first token behind the hole, and the begin tokens are no text.
    assert (found.sum(-1) - found[:, [9, 10, 7, 8]].sum(-1) < 1e-4).all()


def test_what_was_left_in_a_store_makes_no_difference() -> None:
    model = StreamsModel(tiny_model().config)  # whose stores nobody has used
    model.load_state_dict(tiny_model().state_dict())
    random = torch.Generator().manual_seed(3)
    canvases = [torch.zeros(5, dtype=torch.long), torch.zeros(3, dtype=torch.long)]

    def contexts(*sizes: int) -> list[Streams]:
        found = []
        for size in sizes:
            before, after = model.stream(60), model.stream(40)
            for stream, role in ((before, BEFORE), (after, AFTER)):
                model.encode(torch.randint(10, 300, (size,), generator=random), role, stream)
            found.append(Streams(before, after))
        return found

    def denoised(streams: list[Streams]) -> tuple[list[torch.Tensor], set[int]]:
        """Return the log-probabilities, and which stores they took."""
        with ExitStack() as stack:
            around = [stack.enter_context(model.surroundings(each, 5)) for each in streams]
            return model.denoise(canvases, around), {id(at.store) for at in around}

    with torch.no_grad():
        long, short = contexts(40, 38), contexts(20, 3)
        expected, fresh = denoised(short)
        _, used = denoised(long)
        found, again = denoised(short)
    assert fresh == used == again
    assert len(again) == 2, "two would write into each other's keys"
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
