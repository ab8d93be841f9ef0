import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from msgspec import structs
from tiny_base import FILE, base, network, tokenizer
from torch import Tensor

from dllm_lsp.models.checkpoints.adapter import RECORD
from dllm_lsp.models.checkpoints.errors import CheckpointError
from dllm_lsp.training.adaptation import trainer as module
from dllm_lsp.training.adaptation.adapter import PARTS
from dllm_lsp.training.adaptation.checkpoint import BaseName, Totals, load_adapter, save_adapter
from dllm_lsp.training.adaptation.config import AdaptationConfig, Stage
from dllm_lsp.training.adaptation.network import Network
from dllm_lsp.training.adaptation.precision import training_precision
from dllm_lsp.training.adaptation.trainer import Trainer
from dllm_lsp.training.adaptation.windows import WindowConfig, Windows
from dllm_lsp.training.state import STATE

BASE = BaseName("tiny", "5" * 64)
CONFIG = AdaptationConfig(
    seconds=20.0,
    rank=3,
    rate=0.02,
    warmup=3,
    report_seconds=4.0,
    save_seconds=100.0,
    stages=(Stage(0.0, 12, 1), Stage(0.5, 24, 2)),
    window=WindowConfig(lines=4, holes=3, below=(32,)),
)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look at the clock take half a second."""
    ticks: Iterator[int] = iter(range(10**6))
    monkeypatch.setattr(module, "_clock", lambda *_: lambda: next(ticks) / 2)


def run(folder: Path, net: Network, config: AdaptationConfig = CONFIG) -> Trainer:
    trained = Trainer(
        folder, config, network=net, windows=Windows([FILE], tokenizer(), config.window, 0), base=BASE
    )
    trained.train()
    return trained


def log(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def factors(net: Network) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.adapter.state_dict().items()}


def test_a_run_learns_and_stays_in_its_budget(tmp_path: Path) -> None:
    trained = run(tmp_path, network())
    figures = [line["training"] for line in log(tmp_path)]
    assert figures[-1]["clean"] < 0.8 * figures[0]["clean"]
    assert figures[-1]["block 1"] < figures[0]["block 1"]
    assert 20 <= trained.totals.seconds < 22
    assert trained.totals.windows > trained.totals.steps
    assert trained.totals.holes > trained.totals.windows
    assert trained.windows.config.tokens == 24


def test_a_run_goes_on_from_its_state_and_from_the_adapter_alone(tmp_path: Path) -> None:
    net = network()
    run(tmp_path, net, structs.replace(CONFIG, seconds=5.0))
    saved, again = factors(net), network()
    further = Trainer(
        tmp_path,
        CONFIG,
        network=again,
        windows=Windows([FILE], tokenizer(), CONFIG.window, 0),
        base=BASE,
    )
    for name, value in factors(again).items():
        torch.testing.assert_close(value, saved[name], atol=0, rtol=0)
    assert further.totals.seconds >= 5
    assert further.optimizer.state_dict()["state"]
    (tmp_path / STATE).unlink()
    alone = network()
    bare = Trainer(
        tmp_path,
        CONFIG,
        network=alone,
        windows=Windows([FILE], tokenizer(), CONFIG.window, 0),
        base=BASE,
    )
    for name, value in factors(alone).items():
        torch.testing.assert_close(value, saved[name].bfloat16().float(), atol=0, rtol=0)
    assert not bare.optimizer.state_dict()["state"]
    bare.train()
    assert bare.totals.seconds >= 20


def test_a_stopped_run_saves(tmp_path: Path) -> None:
    net = network()
    windows = Windows([FILE], tokenizer(), CONFIG.window, 0)
    trained = Trainer(tmp_path, CONFIG, network=net, windows=windows, base=BASE)
    trained.stop()
    trained.train()
    assert (tmp_path / STATE).exists()


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    rates = [
        CONFIG.rate_at(share, step) for share, step in ((0.0, 0), (0.1, 4), (0.6, 90), (0.8, 99), (1.0, 110))
    ]
    assert rates == pytest.approx([0.02 / 3, 0.02, 0.02, 0.01, 0.0])


def test_an_adapter_is_stored_under_the_names_that_peft_gives(tmp_path: Path) -> None:
    net = network(trained=True)
    save_adapter(tmp_path, net.adapter, BASE, Totals(steps=3), canvas=24, languages=["python"])
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    assert (config["r"], config["lora_alpha"]) == (3, 3)
    assert sorted(config["target_modules"]) == sorted(
        m.split(".")[1] for parts in PARTS.values() for m in parts
    )
    fresh = network()
    assert load_adapter(tmp_path, fresh.adapter, BASE).steps == 3
    for one, other in zip(net.adapter.parameters(), fresh.adapter.parameters(), strict=True):
        torch.testing.assert_close(one.bfloat16().float(), other)


def test_another_adapter_or_geometry_is_refused(tmp_path: Path) -> None:
    save_adapter(tmp_path, network().adapter, BASE, Totals(), canvas=24, languages=["python"])
    other = Network(base(), type(network().adapter)(base().shape, 5, base().embedding[0]))
    with pytest.raises(ValueError, match="another rank"):
        load_adapter(tmp_path, other.adapter, BASE)
    with pytest.raises(CheckpointError, match="belongs to a base"):
        load_adapter(tmp_path, network().adapter, BaseName("tiny", "6" * 64))
    path = tmp_path / RECORD
    path.write_text(path.read_text().replace('"positions": 512', '"positions": 256'))
    with pytest.raises(ValueError, match="another geometry"):
        load_adapter(tmp_path, network().adapter, BASE)


@pytest.mark.parametrize(
    ("flags", "dtype"),
    [("fpu avx512_bf16", torch.bfloat16), ("amx_bf16", torch.bfloat16), ("fpu avx512f", torch.float32)],
)
def test_products_are_in_bfloat16_where_the_processor_is_fast_in_it(
    tmp_path: Path, flags: str, dtype: torch.dtype
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    found = training_precision(torch.device("cpu"), path)
    assert found.dtype == dtype
    assert "Some CPU" in found.reason
    assert training_precision(torch.device("cpu"), tmp_path / "nothing").dtype == torch.float32
