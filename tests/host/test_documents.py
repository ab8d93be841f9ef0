from dllm_lsp.host.documents import Documents


def test_what_the_last_client_closes_nobody_works_on() -> None:
    documents = Documents()
    for client in (1, 2):
        documents.use(client, "a.py")
        documents.use(client, "a.py")
    assert documents.close(1, "a.py") == []
    assert documents.close(1, "a.py") == []
    assert documents.close(2, "a.py") == ["a.py"]
    assert documents.close(2, "a.py") == []


def test_a_client_that_leaves_is_done_with_all() -> None:
    documents = Documents()
    documents.use(1, "a.py")
    documents.use(1, "b.py")
    documents.use(2, "b.py")
    assert documents.leave(1) == ["a.py"]
    assert documents.leave(1) == documents.leave(3) == []
    assert documents.leave(2) == ["b.py"]
