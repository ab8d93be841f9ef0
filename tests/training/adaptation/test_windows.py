import random

from msgspec import structs
from tiny_base import FILE, tokenizer

from dllm_lsp.models.adapted.geometry import END, HEAD, Kind
from dllm_lsp.training.adaptation.windows import Window, WindowConfig, Windows
from dllm_lsp.training.files import SourceFile

CONFIG = WindowConfig(lines=5, holes=3, tokens=24, below=(126,))


def windows(*files: SourceFile, config: WindowConfig = CONFIG, seed: int = 0) -> Windows:
    return Windows(files or (FILE,), tokenizer(), config, seed)


def test_before_hole_rest_and_below_are_the_file() -> None:
    for seed in range(8):
        window = next(iter(windows(seed=seed)))
        before = window.streams[0]
        for group, below in zip(window.rows.groups, window.streams[1:], strict=False):
            assert_spells_the_file(window, group.start, below.ids[HEAD:], before.first)


def assert_spells_the_file(window: Window, row: int, below: tuple[int, ...], first: int) -> None:
    """The first hole of a group, read off the clean rows' targets, stands between its streams in the file."""
    decode, before = tokenizer().decode, window.streams[0].ids[HEAD:]
    known = int(window.rows.positions[row]) - first - HEAD + 1
    at = (window.at == row).nonzero()[0, 0]
    hole = []
    while (token := int(window.tokens[at])) != END:
        hole.append(token)
        at += 1
    assert int(window.rows.ids[row]) == (before[known - 1] if known else Kind.BEFORE.mark)
    rests = {each.ids[HEAD:] for each in window.streams if each.ids[1] == Kind.REST.mark}
    start, end = decode(before[:known]) + decode(hole), decode(below)[:100]
    assert any(start + decode(rest) + end in FILE.text for rest in rests)


def test_windows_are_those_of_their_seed() -> None:
    one, same, other = (next(iter(windows(seed=seed))) for seed in (3, 3, 4))
    assert one.rows.ids.tolist() == same.rows.ids.tolist()
    assert one.rows.ids.tolist() != other.rows.ids.tolist()


def test_no_hole_is_longer_than_asked_for() -> None:
    drawn = windows(config=structs.replace(CONFIG, tokens=8))
    for _, window in zip(range(10), drawn, strict=False):
        clean = window.distances == 0
        longest = run = 0
        for token in window.tokens[clean].tolist():
            run = 0 if token == END else run + 1
            longest = max(longest, run)
        assert 0 < longest <= 8


def test_a_file_without_code_gives_no_window() -> None:
    drawn = windows()
    for text in ("", "\n\n  \n"):
        assert drawn.cut(SourceFile("a", "python", text)) is None


def test_text_beyond_ascii_is_cut_at_whole_characters() -> None:
    text = FILE.text.replace("limit", "größe").replace("file", "文件")
    drawn = windows(SourceFile("a", "python", text))
    window = next(iter(drawn))
    assert window.holes > 3


def test_related_code_of_the_package_is_seen_by_all_holes() -> None:
    other = SourceFile("p==1/b.py", "python", FILE.text.replace("Point", "Other"), "p==1")
    drawn = windows(FILE, other, config=structs.replace(CONFIG, with_snippets=1.0, snippets=1.0))
    window = next(iter(drawn))
    related = [each for each in window.streams if each.ids[1] == Kind.SNIPPET.mark]
    assert len(related) > 1
    assert len({each.first for each in related}) == len(related)
    rows = sum(len(each.ids) for each in window.streams[: -len(related)])
    for group in window.rows.groups:
        columns = group.context >= rows
        assert columns.sum() == sum(len(each.ids) for each in related)
        assert not group.bias[:, : len(columns)][:, columns].any()
    decoded = tokenizer().decode(related[0].ids[HEAD:])
    assert any(decoded in file.text for file in (FILE, other))


def test_the_main_language_has_its_share() -> None:
    small = SourceFile("b", "javascript", FILE.text.replace("def", "function"))
    drawn = windows(FILE, FILE, FILE, small)
    chances = [drawn._chances[-1] - drawn._chances[-2], drawn._chances[-1]]
    assert abs(chances[0] / chances[1] - 0.25) < 0.01
    assert random.Random(0).choices(drawn.files, cum_weights=drawn._chances)
