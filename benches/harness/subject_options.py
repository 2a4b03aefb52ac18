"""Options that say what is loaded and trained and are no settings of the vocabulary: declared once, for all commands.

The pytest plugin and `loaderbench explain`, `check` and `whatif` take them from here. No import takes long.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectOption:
    """An option that takes one text."""

    name: str
    """As Python writes it: ``dataset_args`` is ``--dataset-args``."""
    metavar: str
    help: str
    default: str = ""

    @property
    def option(self) -> str:
        """Return how it is written, such as ``--dataset-args``."""
        return f"--{self.name.replace('_', '-')}"


SUBJECT_OPTIONS: Mapping[str, SubjectOption] = {
    entry.name: entry
    for entry in (
        SubjectOption(name="dataset_args", metavar="JSON", help="arguments of the dataset: an object or an array"),
        SubjectOption(
            name="samples", metavar="N", default="auto",
            help="how much of your dataset a pass reads: a number, all, or auto (what fits into a short time)",
        ),
        SubjectOption(name="model", metavar="MODULE:NAME", help="the model to train; ours where the dataset is ours"),
        SubjectOption(name="model_args", metavar="JSON", help="arguments of the model: an object or an array"),
        SubjectOption(
            name="loss", metavar="NAME",
            help="a function of torch.nn.functional, or module:attribute (default: cross_entropy)",
        ),
    )
}  # fmt: skip
