import gc

import torch
from torch import Tensor

from dllm_lsp.models.network.room import IDLE, Room, Rooms
from dllm_lsp.models.network.transformer import Transformer, TransformerConfig


class User:
    """Somebody who needs a room."""


def transformer() -> Transformer:
    torch.manual_seed(0)
    shape = TransformerConfig(vocabulary=50, width=16, layers=2, heads=2, key_value_heads=1, feed_forward=24)
    network = Transformer(shape).eval().requires_grad_(False)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.5)
    return network


def logits(room: Room, ids: list[int]) -> Tensor:
    columns = torch.arange(len(ids))[None]
    return room.captured(torch.tensor([ids]), columns, columns, torch.tensor([len(ids)]), columns)


def test_who_comes_later_gets_the_room_of_who_has_gone() -> None:
    rooms, user = Rooms(transformer()), User()
    room = rooms.lend(user, 1, 8)
    assert rooms.lend(User(), 1, 8) is not room, "two users would write into each other's keys"
    del user
    gc.collect()
    assert rooms.lend(User(), 1, 9) is not room
    assert rooms.lend(User(), 2, 8) is not room
    assert rooms.lend(successor := User(), 1, 8) is room
    assert rooms.lend(User(), 1, 8) is not room, f"{successor} still needs it"


def test_what_was_left_in_a_room_makes_no_difference() -> None:
    room = Room(transformer(), 1, 8)
    fresh = logits(room, [1, 2, 3])
    logits(room, [9, 8, 7, 6, 5, 4])
    torch.testing.assert_close(logits(room, [1, 2, 3]), fresh, rtol=0, atol=1e-6)


def test_few_rooms_stand_empty() -> None:
    rooms = Rooms(transformer())
    users = [User() for _ in range(IDLE + 2)]
    lent = [rooms.lend(user, 1, capacity) for capacity, user in enumerate(users, start=1)]
    while users:
        users.pop(0)
    gc.collect()
    latest = [rooms.lend(rooms, 1, capacity) for capacity in range(1, IDLE + 3)]
    assert [old is new for old, new in zip(lent, latest, strict=True)] == [False] * 2 + [True] * IDLE


def test_each_token_sees_what_it_is_said_to_see() -> None:
    network = transformer()
    columns = torch.arange(4)[None]
    ids = torch.tensor([[1, 2, 3, 4]])
    alike = [
        Room(network, 1, 4).run(ids, columns, columns, torch.tensor([seen]), torch.tensor([[0]]))
        for seen in (3, 4)
    ]
    shorter = Room(network, 1, 4).run(
        ids[:, :3], columns[:, :3], columns[:, :3], torch.tensor([3]), torch.tensor([[0]])
    )
    torch.testing.assert_close(alike[0], shorter)
    assert not torch.allclose(alike[1], shorter)
