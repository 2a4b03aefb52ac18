"""The call that makes a case is code that can be run, whatever its settings hold."""

from loaderbench.reports.wording import loader_call


def test_the_call_is_code_that_can_be_run() -> None:
    row = {
        "batch_size": 64.0, "num_workers": 2.0, "collate_fn": "my.data:collate", "pin_memory": True,
        "prefetch_factor": 4.0, "persistent_workers": True, "start_method": "spawn", "sampling": "shuffle",
    }  # fmt: skip
    names = {"DataLoader": lambda *_, **named: named, "dataset": None, "collate": "ours"}
    assert eval(loader_call(row, "fork"), names) == {
        "batch_size": 64, "shuffle": True, "num_workers": 2, "collate_fn": "ours", "pin_memory": True,
        "multiprocessing_context": "spawn", "prefetch_factor": 4, "persistent_workers": True,
    }  # fmt: skip


def test_a_hostile_collate_fn_stays_a_text_in_the_call() -> None:
    call = loader_call({"batch_size": 1, "num_workers": 0, "collate_fn": "x), print('owned')  #"})
    names = {"DataLoader": lambda *_, **named: named, "dataset": None}
    assert eval(call, names)["collate_fn"] == "x), print('owned')  #"
