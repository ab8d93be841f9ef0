"""Which job runs next."""

from hypothesis import given
from hypothesis import strategies as st

from dllm_lsp.host.job import Job
from dllm_lsp.host.scheduler import MAX_RUNNING, MAX_WAITING, Scheduler
from dllm_lsp.infill.hole import Hole
from dllm_lsp.wire.messages import Infill

HOLE = Hole(before="", after="", language="python")


def job(client: int, request: int, document: str = "a.py", method: str = "inline") -> Job:
    return Job(client, Infill(id=request, document=document, method=method, hole=HOLE))


def drain(scheduler: Scheduler) -> list[int]:
    taken = []
    while (next_job := scheduler.take()) is not None:
        taken.append(next_job.message.id)
        scheduler.finish(next_job)
    return taken


def test_nothing_waits_at_first():
    assert Scheduler().take() is None


def test_newer_request_supersedes_the_waiting_one():
    scheduler = Scheduler()
    older, newer = job(1, 1), job(1, 2)
    assert scheduler.submit(older) is None
    assert scheduler.submit(newer) is older
    assert older.dropped == "superseded"
    assert drain(scheduler) == [2]


def test_newer_request_stops_the_running_one():
    scheduler = Scheduler()
    older, newer = job(1, 1), job(1, 2)
    scheduler.submit(older)
    assert scheduler.take() is older
    assert scheduler.submit(newer) is None
    assert (older.dropped, newer.dropped) == ("superseded", None)
    scheduler.finish(older)
    assert scheduler.take() is newer


def test_other_documents_methods_and_clients_are_left_alone():
    scheduler = Scheduler()
    jobs = [job(1, 1), job(1, 2, document="b.py"), job(1, 3, method="edit"), job(2, 4)]
    assert [scheduler.submit(each) for each in jobs] == [None] * 4
    assert sorted(drain(scheduler)) == [1, 2, 3, 4]


def test_superseding_keeps_the_place_in_the_queue():
    scheduler = Scheduler()
    scheduler.submit(job(1, 1, document="a.py"))
    scheduler.submit(job(1, 2, document="b.py"))
    scheduler.submit(job(1, 3, document="a.py"))
    assert drain(scheduler) == [3, 2]


def test_several_run_at_a_time_and_no_more_than_may():
    scheduler = Scheduler()
    jobs = [job(client, 1) for client in range(MAX_RUNNING + 2)]
    for each in jobs:
        scheduler.submit(each)
    while scheduler.take() is not None:
        pass
    assert scheduler.running == jobs[:MAX_RUNNING]
    scheduler.finish(jobs[3])
    assert scheduler.take() is jobs[MAX_RUNNING]
    assert scheduler.take() is None


def test_of_those_that_run_only_the_one_that_is_meant_is_stopped():
    scheduler = Scheduler()
    jobs = [job(1, 1), job(1, 2, document="b.py"), job(2, 3)]
    for each in jobs:
        scheduler.submit(each)
        scheduler.take()
    scheduler.cancel(1, 2)
    assert [each.dropped for each in jobs] == [None, "cancelled", None]
    scheduler.submit(job(2, 4))
    assert [each.dropped for each in jobs] == [None, "cancelled", "superseded"]


def test_clients_take_turns():
    scheduler = Scheduler()
    for request in range(3):
        scheduler.submit(job(1, request, document=f"{request}.py"))
    scheduler.submit(job(2, 10))
    assert drain(scheduler) == [0, 10, 1, 2]


def test_cancel_removes_a_waiting_job_and_flags_a_running_one():
    scheduler = Scheduler()
    running, waiting = job(1, 1), job(1, 2, document="b.py")
    scheduler.submit(running)
    scheduler.take()
    scheduler.submit(waiting)
    assert scheduler.cancel(1, 2) is waiting
    assert scheduler.cancel(1, 1) is None
    assert (running.dropped, waiting.dropped) == ("cancelled", "cancelled")
    scheduler.finish(running)
    assert scheduler.take() is None


def test_cancel_ignores_unknown_ids_and_other_clients():
    scheduler = Scheduler()
    kept = job(1, 1)
    scheduler.submit(kept)
    assert scheduler.cancel(1, 9) is None
    assert scheduler.cancel(2, 1) is None
    assert scheduler.take() is kept
    assert scheduler.cancel(2, 1) is None
    assert kept.dropped is None


def test_the_first_reason_stays():
    scheduler = Scheduler()
    running = job(1, 1)
    scheduler.submit(running)
    scheduler.take()
    scheduler.submit(job(1, 2))
    scheduler.cancel(1, 1)
    assert running.dropped == "superseded"


def test_a_client_that_leaves_takes_its_jobs_along():
    scheduler = Scheduler()
    running, other = job(1, 1), job(2, 3)
    scheduler.submit(running)
    scheduler.take()
    scheduler.submit(job(1, 2, document="b.py"))
    scheduler.submit(other)
    scheduler.leave(1)
    assert running.dropped == "cancelled"
    scheduler.finish(running)
    assert scheduler.take() is other


def test_what_waits_for_one_client_is_bounded():
    scheduler = Scheduler()
    for request in range(MAX_WAITING):
        assert not scheduler.is_full(1)
        scheduler.submit(job(1, request, document=f"{request}.py"))
    assert scheduler.is_full(1)
    assert not scheduler.is_full(2)


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from("abc"), st.booleans()), max_size=60))
def test_every_job_is_run_or_dropped_once(moves: list[tuple[int, str, bool]]):
    """Whatever the order of arrivals and turns, no job is lost, run twice, or run after it was dropped."""
    scheduler = Scheduler()
    jobs, run = [], []
    for request, (client, document, takes) in enumerate(moves):
        jobs.append(job(client, request, document))
        scheduler.submit(jobs[-1])
        if takes and (taken := scheduler.take()) is not None:
            run.append(taken.message.id)
            scheduler.finish(taken)
    run += drain(scheduler)
    dropped = [each.message.id for each in jobs if each.dropped is not None]
    assert sorted(run + dropped) == list(range(len(moves)))
