from itertools import pairwise

from dllm_lsp.models.adapted.geometry import CANVAS, POSITIONS, SINK, Kind, stream


def test_streams_keep_what_is_next_to_the_hole_and_stay_apart() -> None:
    long = list(range(100, 1000))
    before, below = stream(Kind.BEFORE, long), stream(Kind.BELOW, long)
    assert before.ids == (SINK, Kind.BEFORE.mark, *long[-Kind.BEFORE.room :])
    assert below.ids == (SINK, Kind.BELOW.mark, *long[: Kind.BELOW.room])
    streams = [*(stream(Kind.SNIPPET, long, n) for n in range(3)), below, stream(Kind.REST, long), before]
    taken = [range(each.first, each.first + len(each.ids)) for each in streams]
    assert all(one.stop == other.start for one, other in pairwise(taken))
    assert taken[-1].stop + CANVAS <= POSITIONS
