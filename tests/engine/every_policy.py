"""Every acceptance policy, for tests of what all of them have in common."""

from __future__ import annotations

from dllm_lsp.engine.policies import Policy, entropy_bound, frechet, sequential, threshold

POLICIES: dict[str, Policy] = {
    "sequential": sequential,
    "threshold": threshold,
    "frechet": frechet,
    "entropy-bound": entropy_bound,
}
