import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec import json

from dllm_lsp.training.curves import draw_curves

SVG = "{http://www.w3.org/2000/svg}"


def write(log: Path, *lines: dict[str, float]) -> Path:
    log.write_bytes(b"".join(json.encode(line) + b"\n" for line in lines))
    return log


def test_every_held_out_loss_has_a_falling_line_and_a_name(tmp_path: Path) -> None:
    log = write(
        tmp_path / "log.jsonl",
        {"step": 1, "seconds": 60.0, "train_next": 9.0, "heldout_next": 8.0},
        {"step": 2, "seconds": 120.0, "train_next": 8.0, "heldout_next": 4.0, "heldout_100%_masked": 6.0},
        {"step": 3, "seconds": 240.0, "train_next": 7.0, "heldout_next": 2.0, "heldout_100%_masked": 3.0},
    )
    draw_curves(log, tmp_path / "losses.svg")
    picture = ElementTree.parse(tmp_path / "losses.svg").getroot()
    lines = [line.attrib["points"].split() for line in picture.iter(f"{SVG}polyline")]
    assert [len(line) for line in lines] == [3, 2]
    points = [[float(number) for number in point.split(",")] for point in lines[0]]
    assert points == sorted(points)  # later is to the right, and less is further down
    assert points[2][0] - points[1][0] == pytest.approx(2 * (points[1][0] - points[0][0]), abs=0.2)
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert {"next", "100% masked", "4"} <= set(texts)


def test_one_report_makes_no_curve(tmp_path: Path) -> None:
    draw_curves(write(tmp_path / "log.jsonl", {"seconds": 1.0, "heldout_next": 1.0}), tmp_path / "a.svg")
    assert not (tmp_path / "a.svg").exists()


def test_a_file_that_is_no_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("no log\n")
    with pytest.raises(ValueError, match=re.escape("JSON")):
        draw_curves(tmp_path / "log.jsonl", tmp_path / "a.svg")
