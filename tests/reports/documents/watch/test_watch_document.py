"""What the watch of a script says."""

import argparse
import shlex
from dataclasses import replace as replace_in

import pytest
from made_up_watches import epoch, loader, steady, watched
from msgspec.structs import replace

from loaderbench.benches.cli import explain, tune
from loaderbench.reports.documents.document import Code, Document, Text, walk
from loaderbench.reports.documents.watch.loader_section import starts_note
from loaderbench.reports.documents.watch.watch_document import watch_document
from loaderbench.reports.render.markdown import markdown
from loaderbench.reports.watch.next_command import next_command, what_to_fill_in
from loaderbench.reports.watch.verdict import LoopVerdict, judge
from loaderbench.reports.watch.watch_record import MadeBatch, WatchedLoader

IN_ORDER = "torch.utils.data.sampler:SequentialSampler"


def headline(document: Document) -> str:
    return next(part.text for part in document.parts if isinstance(part, Text) and part.strong)


@pytest.mark.parametrize(
    ("watched_loader", "words"),
    [
        (steady(0.4), "Loading is the bottleneck: the loop over train.py:31 waits 40\u202f% of its time for data."),
        (steady(0.0), "Loading is not the bottleneck: the loop over train.py:31 waits 0\u202f%"),
        (steady(0.4, steps=4), "to say the same of a longer run; watch more of them."),
    ],
)
def test_the_headline_is_the_verdict_on_the_worst_loader(watched_loader: WatchedLoader, words: str) -> None:
    assert words in headline(watch_document(watched(watched_loader)))


def test_how_much_faster_the_loop_could_be_has_an_interval() -> None:
    text = headline(watch_document(watched(steady(0.5))))
    assert "it would be 2.00× as fast at most (2.00× to 2.00×, 95 %)" in text


def test_the_next_command_has_what_was_seen() -> None:
    assert next_command(judge(steady(0.4))) == (
        "loaderbench explain --dataset train:Train --num-workers 2 --batch-size 4 --start-method fork --step 6ms"
    )
    assert (
        next_command(judge(steady(0.4)), "tune") == "loaderbench tune --dataset train:Train --batch-size 4 --step 6ms"
    )
    assert next_command(judge(steady(0.0))) == ""


def test_the_next_commands_have_options_that_are_there() -> None:
    parser = argparse.ArgumentParser()
    actions = parser.add_subparsers()
    explain.add_arguments(actions.add_parser("explain"))
    tune.add_arguments(actions.add_parser("tune"))
    facts = dict.fromkeys(("persistent_workers", "pin_memory", "drop_last"), True)
    seen = replace(
        steady(0.4),
        facts={**steady(0.4).facts, "prefetch_factor": 4, **facts, "collate_fn": "my:pad", "sampler": IN_ORDER},
    )
    for command in ("explain", "tune"):
        words = shlex.split(next_command(judge(seen), command))
        assert parser.parse_args(words[1:]).dataset


def test_a_collate_function_that_is_an_object_is_not_named_by_its_class() -> None:
    seen = replace(steady(0.4), facts={**steady(0.4).facts, "collate_fn": "my:Pad", "is_collate_fn_made": True})
    assert "--collate-fn" not in next_command(judge(seen))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"num_workers": 0}, "--num-workers 0 --batch-size 4"),
        ({"batch_size": None}, "--batch-size none"),
        ({"batch_size": None, "batch_sampler": "my:Buckets"}, "--num-workers 2 --start-method"),
        ({"sampler": IN_ORDER}, "--sampling sequential"),
    ],
)
def test_the_next_command_has_what_is_no_default_of_explain(facts: dict[str, object], words: str) -> None:
    assert words in next_command(seen_with(**facts))


def test_a_step_that_is_longer_than_all_others_explains_why_the_verdict_is_unclear() -> None:
    compiled = loader(epoch([0.01] * 200, [60.0, *[0.01] * 199]))
    text = markdown(watch_document(watched(compiled))).replace("\u202f", " ")
    assert "Unclear" in text
    assert "step 0 alone took 60 s, 94 % of the loop: without it the loop waits 50 % of its time" in text


def test_what_several_loops_wait_together_is_said_of_loops_that_overlap() -> None:
    zipped = [loader(epoch([0.02] * 50, [0.08] * 50)), loader(epoch([0.03] * 50, [0.07] * 50))]
    text = markdown(watch_document(watched(*zipped))).replace("\u202f", " ")
    assert "If this loader were free it would be 1.43× as fast at most" in text
    assert "The loops over both loaders wait 50 % of their time together: if all were free they would be 2.00×" in text


def test_a_loop_that_begins_a_pass_for_each_batch_is_told_to_keep_its_iterator() -> None:
    passes = [replace(epoch([0.01], [0.0], began=0.04 * step), ended_s=None) for step in range(60)]
    verdict = judge(loader(*passes))
    assert (verdict.outcome, round(verdict.waiting.share, 2)) == ("bottleneck", 0.25)
    assert "as by next(iter(loader)) in each step" in markdown(watch_document(watched(verdict.loader)))


def seen_with(**facts: object) -> LoopVerdict:
    return judge(replace(steady(0.4), facts={**steady(0.4).facts, **facts}))


def test_a_script_in_another_folder_is_on_the_commands_path() -> None:
    assert next_command(seen_with(python_path="my scripts"), "tune").startswith("PYTHONPATH='my scripts' loaderbench ")


@pytest.mark.parametrize(
    ("facts", "words", "to_do"),
    [
        (
            {"not_importable": "Rows is defined in no file"},
            "--dataset MODULE:FUNCTION",
            (
                "Rows is defined in no file; write a function that returns this dataset into a module of its own, and "
                "put its name in place of MODULE:FUNCTION"
            ),
        ),
        (
            {"named_by": ["--dataset", "my:Rows", "--dataset-args", '{"root": …}']},
            "--dataset-args '{\"root\": …}'",
            "put the dataset's own arguments in place of …",
        ),
        (
            {"collate_fn": "train:main.<locals>.<lambda>"},
            "--dataset train:Train",
            "its collate_fn has no name to be imported by: add --collate-fn MODULE:NAME",
        ),
        ({}, "--dataset train:Train", ""),
    ],
)
def test_what_must_be_done_before_the_next_command_is_said(facts: dict[str, object], words: str, to_do: str) -> None:
    verdict = seen_with(**facts)
    assert words in next_command(verdict)
    assert what_to_fill_in(verdict) == to_do


def test_no_workers_are_not_to_persist() -> None:
    starts = loader(*(epoch([1.0, 0.0, 0.0], [0.1] * 3, began=3.0 * n, start_s=1.0) for n in range(9)), num_workers=0)
    document = watch_document(watched(starts))
    assert judge(starts).reason == "starts"
    assert "persistent_workers" not in markdown(document)


@pytest.mark.parametrize(
    ("loaders", "first_s", "words"),
    [
        (1, 0.1, "persistent_workers=True keeps workers from one pass to the next"),
        (9, 0.1, "each pass has a new loader, with new workers; make one, with"),
        (1, 9.0, "the first start, which a longer run has once as well"),
    ],
)
def test_what_to_do_about_starts_depends_on_which(loaders: int, first_s: float, words: str) -> None:
    passes = [epoch([0.1, 0.0, 0.0], [0.1] * 3, began=3.0 * n, start_s=1.0) for n in range(9)]
    passes[0] = epoch([first_s, 0.0, 0.0], [0.1] * 3, began=-20.0)
    seen = replace(loader(*passes), loaders=loaders)
    verdict = replace_in(judge(seen), outcome="bottleneck", reason="starts")
    assert words in starts_note(verdict)


def test_a_loader_that_was_made_and_not_read_stands_in_the_table_alone() -> None:
    document = watch_document(watched(steady(0.4), loader()))
    assert "not read" in markdown(document)
    assert sum(isinstance(part, Code) for part in walk(document.parts)) == 1


def test_how_the_script_ended_is_a_notice() -> None:
    document = watch_document(watched(steady(0.4), ending="failed", why="ValueError: bad"))
    assert document.notices == ("The script was ended by an error: ValueError: bad. This is what was seen until then.",)
    document = watch_document(watched(steady(0.4), ending="failed", why="sys.exit(3)"))
    assert document.notices == ("The script was ended: sys.exit(3). This is what was seen until then.",)


def test_steps_that_are_not_in_the_record_are_counted() -> None:
    from msgspec.structs import replace  # noqa: PLC0415

    (notice,) = watch_document(watched(replace(steady(0.4), steps=1000))).notices
    assert notice == "train.py:31: of 1\u202f000 steps the first 200 are in the record."


def test_stages_samples_passes_and_memory_are_said() -> None:
    passes = [epoch([1.0, 1.0], [1.0, 1.0], began=10.0 * n, start_s=0.5, end_s=0.25) for n in range(2)]
    batches = [
        MadeBatch(n, task, 0.0, 10.0 * n + 0.4, 10.0 * n + 0.5, 0.1, 4, 700 + task, 0.3)
        for n in (0, 1)
        for task in (0, 1)
    ]
    document = watch_document(watched(loader(*passes, made=batches), memory=((0.0, 1e9), (5.0, 2e9))))
    text = markdown(document).replace("\u202f", " ")
    assert "slowest samples, by index: 700 (300 ms), 701 (300 ms)" in text
    assert "end of a pass 250 ms" in text
    assert "1 GB at first, 2 GB at last" in text
    assert [figure.name for figure in document.figures] == ["steps"]


@pytest.mark.parametrize(
    ("ending", "why", "failure", "first"),
    [
        ("failed", "E: x (a.py:3)", "E: x (sample 4, a.py:3)", "error: E: x (sample 4, a.py:3)"),
        ("failed", "KeyError: 3 (a.py:3)", "E: x (sample 4, a.py:3)", "error: KeyError: 3 (a.py:3)"),
        ("interrupted", "", "KeyboardInterrupt: after 3 s (s. 1)", "interrupted: KeyboardInterrupt: after 3 s (s. 1)"),
    ],
)  # fmt: skip
def test_what_ended_the_script_is_said_once_with_the_sample_where_it_is_known(
    ending: str, why: str, failure: str, first: str
) -> None:
    record = watched(replace(steady(0.4), failure=failure), ending=ending, why=why)
    notices = watch_document(record).notices
    assert f"{first}. This is what was seen until then." in notices[0]
    assert len(notices) == (2 if first.startswith("error: KeyError") else 1)


def test_on_a_device_it_counts_for_how_long_that_was_idle() -> None:
    busy = steady(0.4)
    idle = replace(busy, epochs=(replace(busy.epochs[0], idle_s=(0.001,) * 200),))
    document = watch_document(watched(idle))
    assert "in the loop over train.py:31 the GPU is idle 10" in headline(document)
    assert (
        "GPU idle for lack of data: 200\u202fms (10\u202f% of the loop); host waited: 800\u202fms (40\u202f%)"
        in markdown(document)
    )
