import pytest
import torch
from tiny_model import tiny_model

from dllm_lsp.models.network import precision
from dllm_lsp.models.network.precision import PrecisionError, check, int8_gain, resolved, storage
from dllm_lsp.models.streams.encoded import AFTER, BEFORE, Streams

CPU, GPU, APPLE = (torch.device(name) for name in ("cpu", "cuda", "mps"))
NETWORK = tiny_model().transformer


@pytest.fixture
def capability(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "device", "has"),
    [
        ("auto", CPU, (9, 0)),
        ("fp32", CPU, (9, 0)),
        ("int8", CPU, (9, 0)),
        ("fp8", GPU, (8, 9)),
        ("int8", GPU, (8, 0)),
        ("bf16", APPLE, (9, 0)),
    ],
)
def test_what_the_device_has_is_allowed(
    name: str, device: torch.device, has: tuple[int, int], capability: pytest.MonkeyPatch
) -> None:
    capability.setattr(torch.cuda, "get_device_capability", lambda device: has)
    check(name, device)


@pytest.mark.parametrize(
    ("name", "device", "why"),
    [
        ("fp8", CPU, "NVIDIA GPUs since"),
        ("bf16", CPU, "slower than fp32"),
        ("bf16", GPU, "8.0 is needed, it has 7.5"),
        ("fp8", GPU, "8.9 is needed, it has 7.5"),
        ("int8", APPLE, "only CPUs and NVIDIA"),
    ],
)
def test_what_it_lacks_is_told(
    name: str, device: torch.device, why: str, capability: pytest.MonkeyPatch
) -> None:
    capability.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(PrecisionError, match=f'"engine.precision" is "{name}".*{device}.*{why}'):
        check(name, device)


@pytest.mark.parametrize(("gain", "expected"), [(1.1, "fp32"), (2.0, "int8")])
def test_a_cpu_takes_int8_where_it_gains(gain: float, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "int8_gain", lambda network: gain)
    assert resolved("auto", CPU, NETWORK) == expected
    assert resolved("fp32", CPU, NETWORK) == "fp32"


def test_a_gpu_takes_bf16_if_it_has_it(capability: pytest.MonkeyPatch) -> None:
    assert (resolved("auto", GPU, NETWORK), storage("auto", GPU)) == ("bf16", torch.bfloat16)
    capability.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert (resolved("auto", GPU, NETWORK), storage("auto", GPU)) == ("fp32", torch.float32)


@pytest.mark.parametrize(
    ("name", "device", "dtype"),
    [("int8", CPU, torch.float32), ("int8", GPU, torch.bfloat16), ("fp32", GPU, torch.float32)],
)
def test_what_is_not_quantized_is_computed_as_the_device_does_best(
    name: str, device: torch.device, dtype: torch.dtype, capability: pytest.MonkeyPatch
) -> None:
    assert storage(name, device) == dtype


def test_the_gain_is_measured_on_the_networks_own_layers() -> None:
    assert 0 < int8_gain(NETWORK) < 100


@torch.no_grad()
def test_the_bundled_architecture_computes_in_bfloat16() -> None:
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        model = tiny_model.__wrapped__().to(dtype)  # which has no rooms of another type yet
        before, after = model.stream(20), model.stream(20)
        model.encode(torch.arange(40, 50), BEFORE, before)
        model.encode(torch.arange(60, 70), AFTER, after)
        streams, canvases = Streams(before, after), torch.arange(80, 92).view(2, 6)
        with model.surroundings(streams, 6) as first, model.surroundings(streams, 6) as second:
            found.append(torch.stack(model.denoise(list(canvases), [first, second])).exp())
    whole, half = found
    assert half.dtype == torch.float32
    assert float((half - whole).norm() / whole.norm()) < 0.05
