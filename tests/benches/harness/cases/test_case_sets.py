"""The names that the command line takes are those of what there is."""

from loaderbench.benches.harness.cases.case_sets import full, quick
from loaderbench.benches.harness.samples.sampling import sampling_arguments
from loaderbench.benches.harness.training.model_choice import OURS
from loaderbench.datasets.catalog import CATALOG
from loaderbench.datasets.collate import COLLATE_FNS
from loaderbench.reports.vocabulary import SAMPLES, SETTINGS


def test_every_dataset_has_an_entry_in_each_list() -> None:
    assert set(SAMPLES) == set(CATALOG) == set(OURS) == set(full()["dataset"])


def test_the_quick_set_reads_no_stream_whole_and_no_dataset_twice() -> None:
    assert set(SAMPLES) - set(quick()["dataset"]) == {"shards", "rows"}


def test_every_collate_function_can_be_named_on_the_command_line() -> None:
    assert set(SETTINGS["collate_fn"].choices) == set(COLLATE_FNS)


def test_every_way_of_sampling_but_torch_s_order_has_arguments() -> None:
    made = {name: sampling_arguments(name, range(8), 2, 0) for name in SETTINGS["sampling"].choices}
    assert [name for name, arguments in made.items() if not arguments] == ["sequential"]
