"""Every setting, and every other option that says what is measured, in the order in which a reader meets them."""

from collections.abc import Mapping
from multiprocessing import get_all_start_methods

from loaderbench.reports.vocabulary.entries import Setting, WorkloadOption, by_name

# Our datasets, each with what its samples are called; `datasets/catalog.py` builds them.
SAMPLES: Mapping[str, str] = {
    "images": "images",
    "shards": "images",
    "text": "texts",
    "tokens": "sequences",
    "table": "rows",
    "rows": "rows",
}

SETTINGS: dict[str, Setting] = by_name((
    Setting(
        name="dataset", help="what is loaded", choices=tuple(SAMPLES), is_open=True, default="text", is_panel=True,
        has_column=True,
    ),
    Setting(
        name="device", help="where batches are placed and models run, such as cuda", default="cpu", is_panel=True,
        has_column=True,
    ),
    Setting(name="model", help="what is trained", is_swept=False),
    Setting(name="quantity", help="what is compared with a known value", is_swept=False, phrase="{}"),
    Setting(
        name="nproc_per_node", help="ranks on each host, each with workers of its own", kind="whole", least=1,
        default=1, has_column=True, phrase="ranks={}",
    ),
    Setting(name="nnodes", help="hosts of a launch", kind="whole", least=1, is_swept=False, phrase="hosts={}"),
    Setting(
        name="launcher", help="what starts the ranks, where no launcher has started pytest", choices=("torch", "ray"),
        default="torch",
    ),
    Setting(
        name="pad_ranks",
        help="samples are repeated until all ranks have the same number; else the last ones are left out",
        kind="switch", default=True, phrase="padded", phrase_off="last left out",
    ),
    Setting(
        name="num_workers", help="worker processes", kind="whole", default=0, cost_rank=0, is_argument=True,
        has_column=True, phrase="workers={}",
    ),
    Setting(
        name="batch_size", help="samples in a batch; with none the dataset, or its batch_sampler, makes the batches",
        kind="whole", least=1, default=32, takes_none=True, is_argument=True, has_column=True, phrase="batch={}",
    ),
    Setting(
        name="collate_fn", help="the function that makes a batch of samples",
        choices=("default", "pad", "pack", "stack_into"), is_open=True, is_argument=True, has_column=True,
    ),
    Setting(
        name="sampling", help="the order and choice of samples", default="shuffle", makes_argument=True,
        choices=("sequential", "shuffle", "weighted", "batches", "blocks"),
    ),
    Setting(
        name="drop_last", help="the last incomplete batch is left out", kind="switch", default=False, is_argument=True,
        phrase="drop_last", phrase_off="last kept",
    ),
    Setting(
        name="sampler", help="a sampler of your own; a function or class is called with the dataset", is_open=True,
        takes_none=True, is_argument=True,
    ),
    Setting(
        name="batch_sampler", help="a batch_sampler of your own; a function or class is called with the dataset",
        is_open=True, takes_none=True, is_argument=True,
    ),
    Setting(
        name="fetch", help="samples one by one, or a batch in a call", choices=("getitem", "getitems"),
        default="getitems",
    ),
    Setting(
        name="pin_memory", help="page-locked batches; needs an accelerator", kind="switch", default=False,
        cost_rank=2, is_argument=True, phrase="pinned", phrase_off="pageable",
    ),
    Setting(
        name="non_blocking", help="copies to the device run beside the host", kind="switch", default=True,
        cost_rank=5, phrase="non_blocking", phrase_off="blocking",
    ),
    Setting(
        name="prefetch_factor", help="batches in flight for each worker", kind="whole", least=1, default=2,
        without_workers=None, cost_rank=1, is_argument=True, phrase="prefetch={}",
    ),
    Setting(
        name="persistent_workers", help="workers are kept from epoch to epoch", kind="switch", default=False,
        without_workers=False, cost_rank=3, is_argument=True, phrase="persistent", phrase_off="restarted",
    ),
    Setting(
        name="start_method", help="how workers are started", without_workers=None, cost_rank=4, makes_argument=True,
        choices=tuple(name for name in ("fork", "forkserver", "spawn") if name in get_all_start_methods()),
    ),
    Setting(
        name="worker_init_fn", help="called in every worker when it has started", is_open=True, takes_none=True,
        without_workers=None, cost_rank=6, is_argument=True,
    ),
    Setting(
        name="in_order", help="batches in the sampler's order, or as they are ready", kind="switch", default=True,
        without_workers=True, is_argument=True, phrase="in_order", phrase_off="as ready",
    ),
    Setting(name="payload_mb", help="megabytes a dataset holds", kind="whole", is_swept=False, phrase="{} MB"),
))  # fmt: skip

WORKLOAD_OPTIONS: Mapping[str, WorkloadOption] = by_name((
    WorkloadOption(name="dataset_args", metavar="JSON", help="arguments of the dataset: an object or an array"),
    WorkloadOption(
        name="from_loader", metavar="MODULE:NAME", identifies=False,  # it is the name of the dataset
        help="in place of --dataset: your own DataLoader, or a function that returns one; measured as it is, and "
        "varied by the other options",
    ),
    WorkloadOption(
        name="samples", metavar="N", default="auto", column="samples_option",  # a metric has the option's name
        help="how much of your dataset a pass reads: a number, all, or auto (what fits into a short time); a "
        "part is contiguous blocks, or the beginning of a stream",
    ),
    WorkloadOption(
        name="loader_timeout", metavar="TIME", default="60s", identifies=False,
        help="give up on a batch that workers have not delivered after this time (default: 60s; 0 waits for ever)",
    ),
    WorkloadOption(
        name="model", metavar="MODULE:NAME",
        help="the model to train (default: a small one of ours, for a dataset of ours)",
    ),
    WorkloadOption(name="model_args", metavar="JSON", help="arguments of the model: an object or an array"),
    WorkloadOption(
        name="loss", metavar="NAME",
        help="a function of torch.nn.functional, or module:attribute (default: the model's own where it takes the "
        "target, else cross_entropy)",
    ),
    WorkloadOption(
        name="train_step", metavar="MODULE:NAME",
        help="your own step: a function of model, batch and optimizer, or an object or a class with step(batch)",
    ),
    WorkloadOption(
        name="optimizer", metavar="NAME",
        help="a class of torch.optim, or module:attribute, called with the parameters (default: SGD)",
    ),
))  # fmt: skip
