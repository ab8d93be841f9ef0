from contextlib import ExitStack

import pytest
import torch
from torch import Tensor

from dllm_lsp.models.network.pool import IDLE, STEP, Pool, Room
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig


def transformer() -> Transformer:
    torch.manual_seed(0)
    shape = TransformerConfig(vocabulary=50, width=16, layers=2, heads=2, key_value_heads=1, feed_forward=24)
    network = Transformer(shape).eval().requires_grad_(False)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.5)
    return network


def logits(room: Room, ids: list[int]) -> Tensor:
    columns = torch.arange(len(ids))
    return room.captured(torch.tensor(ids), columns, columns, torch.tensor([len(ids)]), columns)


def test_who_comes_later_gets_the_room_of_who_has_gone() -> None:
    pool = Pool(transformer())
    with pool.lend(8) as room, pool.lend(8) as other:
        assert other is not room, "two users would write into each other's keys"
    with pool.lend(STEP + 1) as larger:
        assert larger.store.capacity == 2 * STEP
    with pool.lend(STEP) as first, pool.lend(8) as second, pool.lend(8) as third:
        assert {first, second} == {room, other}, "the smallest that are large enough"
        assert third is larger


def test_a_room_comes_back_from_who_failed_and_is_lent_empty() -> None:
    pool, keys, used = Pool(transformer()), torch.ones(2, 1, 3, 8), []

    def fail() -> None:
        with pool.lend(8) as room:
            used.append(room)
            room.store.append(keys, keys)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pool.lend(8) as again:
        assert used == [again]
        assert again.store.length == 0


def test_a_pools_rooms_have_the_least_size() -> None:
    with Pool(transformer(), least=STEP + 1).lend(3) as room:
        assert room.store.capacity == 2 * STEP


def test_what_was_left_in_a_room_makes_no_difference() -> None:
    room = Room(transformer(), 8)
    fresh = logits(room, [1, 2, 3])
    logits(room, [9, 8, 7, 6, 5, 4])
    torch.testing.assert_close(logits(room, [1, 2, 3]), fresh, rtol=0, atol=1e-6)


def test_few_rooms_stand_empty() -> None:
    pool = Pool(transformer())
    rounds = []
    for _ in range(2):
        with ExitStack() as stack:
            rounds.append([stack.enter_context(pool.lend(8)) for _ in range(IDLE + 2)])
    assert len(set(rounds[0]) & set(rounds[1])) == IDLE


def test_each_token_sees_what_it_is_said_to_see() -> None:
    network, columns, first = transformer(), torch.arange(4), torch.tensor([0])
    ids = torch.tensor([1, 2, 3, 4])
    shown = [Room(network, 4).run(ids, columns, columns, torch.tensor([seen]), first) for seen in (3, 4)]
    shorter = Room(network, 4).run(ids[:3], columns[:3], columns[:3], torch.tensor([3]), first)
    torch.testing.assert_close(shown[0], shorter)
    assert not torch.allclose(shown[1], shorter)


def test_no_more_rooms_are_kept_than_a_pool_is_told_to() -> None:
    pool = Pool(transformer(), idle=1)
    with pool.lend(8) as first, pool.lend(8) as second:
        pass
    with pool.lend(8) as third, pool.lend(8) as fourth:
        assert third in (first, second)
        assert fourth not in (first, second)
