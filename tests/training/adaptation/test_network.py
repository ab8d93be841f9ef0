import random

import pytest
import torch
from tiny_base import FILE, SHAPE, base, network, reference, tokenizer
from torch import Tensor

from dllm_lsp.models.adapted.geometry import HEAD, Kind, Stream, stream
from dllm_lsp.training.adaptation.canvases import Canvas, canvas, clean_canvas
from dllm_lsp.training.adaptation.context import read
from dllm_lsp.training.adaptation.network import MASK, Network
from dllm_lsp.training.adaptation.windows import Placed, assembled

IDS = tokenizer().encode(FILE.text)[:60]
HOLE = IDS[40:46]
NOTHING = Stream((), 0)
BELOW, REST = stream(Kind.BELOW, IDS[50:]), stream(Kind.REST, IDS[46:50])


def logits(
    net: Network,
    *holes: Placed,
    below: Stream = NOTHING,
    ids: list[int] = IDS,
    snippets: tuple[Stream, ...] = (),
) -> Tensor:
    """What the network makes of holes that end on one line, [rows, vocabulary]."""
    window = assembled(ids, [(below, list(holes))], snippets)
    with torch.no_grad():
        hidden = net.hidden(window.rows, read(net.base, net.angles, window.streams))
        return hidden @ net.base.embedding.T


def test_streams_are_read_as_transformers_reads_them() -> None:
    streams = [stream(Kind.BEFORE, IDS), BELOW, stream(Kind.SNIPPET, IDS[5:9], 2)]
    context = read(base(), network().angles, streams)
    for each, (start, end) in zip(streams, context.spans, strict=True):
        positions = torch.arange(each.first, each.first + len(each.ids))[None]
        cache = reference()(torch.tensor([each.ids]), position_ids=positions, use_cache=True).past_key_values
        for layer, keys, values in zip(cache.layers, context.keys, context.values, strict=True):
            torch.testing.assert_close(keys[:, start:end], layer.keys[0], atol=1e-4, rtol=0)
            torch.testing.assert_close(values[:, start:end], layer.values[0], atol=1e-4, rtol=0)


def test_a_fresh_adapter_without_code_behind_the_hole_is_the_base() -> None:
    expected = reference()(torch.tensor([stream(Kind.BEFORE, IDS).ids])).logits[0]
    holes = [Placed(clean_canvas(IDS[at - 1], IDS[at : at + 4]), at, NOTHING) for at in (20, 40)]
    found = logits(network(), *holes)
    for number, at in enumerate((20, 40)):
        rows = expected[HEAD + at - 1 : HEAD + at + 4]
        torch.testing.assert_close(found[5 * number : 5 * number + 5], rows, atol=1e-4, rtol=0)


def test_a_hole_at_the_top_follows_the_mark() -> None:
    expected = reference()(torch.tensor([stream(Kind.BEFORE, IDS).ids])).logits[0]
    found = logits(network(), Placed(clean_canvas(Kind.BEFORE.mark, IDS[:3]), 0, NOTHING))
    torch.testing.assert_close(found, expected[1:5], atol=1e-4, rtol=0)


def block(known: int, shown: dict[int, int]) -> Canvas:
    """Clean rows, then a block of 5 rows from token `known` on."""
    ids, offsets, clean, _, targets = clean_canvas(IDS[39], HOLE)
    rows = [shown.get(row, MASK) for row in range(1, 5)]
    return Canvas([*ids, ids[known], *rows], [*offsets, *range(known, known + 5)], clean, known, targets)


def changed(one: Tensor, other: Tensor) -> list[int]:
    return [row for row, same in enumerate((one - other).abs().amax(-1) < 1e-5) if not same]


@pytest.fixture(scope="module")
def net() -> Network:
    return network(trained=True)


def test_a_clean_row_is_seen_by_clean_rows_behind_it_and_by_blocks_that_begin_behind_it(net: Network) -> None:
    before = logits(net, Placed(block(3, {}), 40, REST), below=BELOW)
    for row in range(1, len(HOLE) + 1):
        rows = block(3, {})
        rows.ids[row] = IDS[0]
        found = changed(before, logits(net, Placed(rows, 40, REST), below=BELOW))
        clean = list(range(row, rows.clean))
        assert found == (clean + list(range(rows.clean, rows.clean + 5)) if row < rows.known else clean)


def test_the_rows_of_a_block_see_each_other_and_no_clean_row_sees_them(net: Network) -> None:
    rows = [logits(net, Placed(block(0, shown), 40, REST), below=BELOW) for shown in ({}, {4: IDS[0]})]
    assert changed(*rows) == list(range(len(HOLE) + 1, len(HOLE) + 6))


def test_holes_do_not_see_each_other(net: Network) -> None:
    alone = logits(net, Placed(block(2, {}), 40, REST), below=BELOW)
    other = Placed(canvas(IDS[29], IDS[30:37], 16, IDS, random.Random(0)), 30, stream(Kind.REST, IDS[:9]))
    together = logits(net, other, Placed(block(2, {}), 40, REST), below=BELOW)
    assert not changed(alone, together[-len(alone) :])


@pytest.mark.parametrize("part", ["before", "rest", "below", "snippets"])
def test_canvas_rows_see_every_stream(net: Network, part: str) -> None:
    found = logits(net, Placed(block(2, {}), 40, REST), below=BELOW)
    rest = stream(Kind.REST, IDS[45:50]) if part == "rest" else REST
    below = stream(Kind.BELOW, IDS[49:]) if part == "below" else BELOW
    ids = [IDS[9], *IDS[1:]] if part == "before" else IDS
    snippets = (stream(Kind.SNIPPET, IDS[:9], 1),) if part == "snippets" else ()
    other = logits(net, Placed(block(2, {}), 40, rest), below=below, ids=ids, snippets=snippets)
    assert changed(found, other) == list(range(12))


def test_a_hole_does_not_see_the_code_before_a_later_one(net: Network) -> None:
    alone = logits(net, Placed(block(2, {}), 40, REST), below=BELOW)
    later = Placed(clean_canvas(IDS[49], IDS[50:54]), 50, REST)
    together = logits(net, Placed(block(2, {}), 40, REST), later, below=BELOW)
    assert not changed(alone, together[: len(alone)])


def test_the_shape_tells_how_products_are_stacked() -> None:
    for layer in base().layers:
        assert all(sum(rows) == len(getattr(layer, name)) for name, rows in SHAPE.outputs.items())
