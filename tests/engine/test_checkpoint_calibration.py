import math
from pathlib import Path

import pytest
import torch
from msgspec import json
from tiny_model import tiny_checkpoint

from dllm_lsp.engine.calibration import read_calibration, write_calibration
from dllm_lsp.engine.engine import Engine
from dllm_lsp.infill.calibration import Calibration
from dllm_lsp.infill.hole import Hole
from dllm_lsp.infill.limits import Limits
from dllm_lsp.infill.pieces import Infilled
from dllm_lsp.models.checkpoints import causal
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.models.checkpoints.streams import save_streams
from dllm_lsp.wire.messages import Filled, frame, to_client_decoder

CALIBRATION = Calibration(1.5, -0.25)
OTHER = Calibration(2.0, 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_streams(tmp_path, *tiny_checkpoint(), torch.float32)
    return tmp_path


def infilled(engine: Engine) -> Infilled:
    drafts = engine.infill("a.py", Hole("x = ", "\n", "python"), Limits(milliseconds=math.inf))
    while True:
        try:
            next(drafts)
        except StopIteration as end:
            return end.value


def test_what_is_written_is_read_and_comes_with_every_answer(folder: Path) -> None:
    before = json.decode((folder / "config.json").read_bytes())
    assert read_calibration(folder) == {}
    assert infilled(Engine.load(str(folder), "cpu", 1)).calibration is None
    write_calibration(folder, {"go": OTHER, "python": OTHER})
    write_calibration(folder, {"python": CALIBRATION})
    assert read_calibration(folder) == {"go": OTHER, "python": CALIBRATION}
    answer = infilled(Engine.load(str(folder), "cpu", 1))
    assert answer.calibration == CALIBRATION
    assert to_client_decoder.decode(frame(Filled(1, answer))[4:]) == Filled(1, answer)
    after = json.decode((folder / "config.json").read_bytes())
    assert {**after, "calibration": None} == {**before, "calibration": None}
    assert len(list(folder.iterdir())) == 3


def test_a_language_without_a_calibration_keeps_its_probabilities(folder: Path) -> None:
    write_calibration(folder, {"go": OTHER})
    assert infilled(Engine.load(str(folder), "cpu", 1)).calibration is None


def test_a_linked_file_is_replaced_and_not_what_it_leads_to(folder: Path, tmp_path: Path) -> None:
    cached = folder / "cached.json"
    (folder / "config.json").rename(cached)
    (folder / "config.json").symlink_to(cached)
    content = cached.read_bytes()
    write_calibration(folder, {"python": CALIBRATION})
    assert cached.read_bytes() == content
    assert read_calibration(folder) == {"python": CALIBRATION}


def test_that_of_an_adapted_base_stands_beside_its_adapter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causal, "ADAPTERS", tmp_path / "adapters")
    base, record = tmp_path / "base", tmp_path / "adapters" / "tiny" / "dllm.json"
    for file, content in (
        (base / "config.json", {"family": "causal", "base": "tiny"}),
        (record, {"mask": "mask"}),
    ):
        file.parent.mkdir(parents=True)
        file.write_bytes(json.encode(content))
    write_calibration(base, {"python": CALIBRATION})
    assert read_calibration(base) == {"python": CALIBRATION}
    assert json.decode(record.read_bytes()) == {
        "mask": "mask",
        "calibration": {"python": {"slope": 1.5, "offset": -0.25}},
    }


@pytest.mark.parametrize(
    "damaged",
    [
        1,
        "high",
        {"slope": 1, "offset": 0},
        {"python": {}},
        {"python": {"slope": 1}},
        {"python": {"slope": 0, "offset": 0}},
        {"python": {"slope": -1, "offset": 0}},
        {"python": {"slope": "1", "offset": 0}},
    ],
)
def test_a_damaged_one_is_told(folder: Path, damaged: object) -> None:
    config = json.decode((folder / "config.json").read_bytes())
    (folder / "config.json").write_bytes(json.encode(config | {"calibration": damaged}))
    with pytest.raises(CheckpointError, match=r'"calibration" in .*config\.json is damaged'):
        Engine.load(str(folder), "cpu", 1)
