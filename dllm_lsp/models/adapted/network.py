"""A causal base, and the same network with an adapter: one reads the code around a hole, the other writes into it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor

from dllm_lsp.models.network.transformer import Transformer


class Adapted(NamedTuple):
    """`base` reads streams, `writer` canvas rows; `mask` [width] is what a masked row is embedded as."""

    base: Transformer
    writer: Transformer
    mask: Tensor


class Factors(NamedTuple):
    """Low-rank matrices (Hu et al. 2021) of one matrix W [out, in], which becomes W + up @ down.

    down [rank, in], up [out, rank], the scale that PEFT keeps apart included.
    """

    down: Tensor
    up: Tensor


@torch.no_grad()
def adapted(base: Transformer, factors: Mapping[str, list[Factors]], mask: Tensor) -> Adapted:
    """Return the base beside a copy of it with the factors merged in; embedding and head are shared.

    `factors` are by the name of a matrix in `Transformer`, as many as it stacks, in order.
    """
    shared = {id(module): module for module in (base.embedding, base.head)}
    writer = deepcopy(base, shared)
    for name, parts in factors.items():
        at, weight = 0, writer.get_parameter(name)
        for down, up in parts:
            weight[at : at + len(up)] += up.to(weight) @ down.to(weight)
            at += len(up)
        assert at == len(weight), "factors for all that is stacked"
    return Adapted(base, writer, mask)
