"""What a report says of many ranks, on a made-up record."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_predictions import made_up_whatif

from loaderbench.reports.documents.document import Callout, Document, Section, Table, walk
from loaderbench.reports.documents.report.report_document import assemble, report_document
from loaderbench.reports.records.frame import read_records
from loaderbench.reports.records.schema import SCHEMA
from loaderbench.reports.whatif.rank_predictions import with_predictions
from loaderbench.reports.whatif.simulation import Scenario
from loaderbench.reports.whatif.whatif_record import Prediction


def case(ranks: int, seconds: list[list[float]], samples: float) -> dict[str, Any]:
    slowest = [max(pair) for pair in zip(*seconds, strict=True)]
    count = len(slowest)
    cost = [1 - sum(pair) / len(pair) / max(pair) for pair in zip(*seconds, strict=True)]
    return {
        "name": f"bench_ranks[images-ranks={ranks}]",
        "extra_info": {
            "bench": "ranks",
            "settings": {
                "dataset": "images", "device": "cpu", "nproc_per_node": ranks, "num_workers": 1, "batch_size": 32,
            },
            "facts": {"world_size": ranks, "hosts": 1, "coverage": "each sample once"},
            "rounds": {
                "seconds": slowest, "samples": [samples] * count, "straggler_cost": cost, "cpu_s": slowest,
                "rates_sum_per_s": [samples] * count,
            },
            "ranks": [
                {"rank": rank, "host": "gpu1", "rounds": {"seconds": column, "samples": [samples / ranks] * count}}
                for rank, column in enumerate(seconds)
            ],
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """Of one rank, and of two, the second of which is always slow; whatif was asked about two."""
    folder: Path = tmp_path_factory.mktemp("ranks")
    about = {"schema": SCHEMA, "run": "r", "version": "0.1.0", "started": None, "machine": {"cpus_affinity": 2}}
    cases = [case(1, [[1.0, 1.0, 1.01]], 100), case(2, [[0.5, 0.5, 0.51], [1.0, 1.0, 1.01]], 100)]
    (folder / "run.json").write_text(json.dumps({"benchmarks": cases, "loaderbench": about}))
    report = assemble(read_records([folder]))
    scenario = Scenario(num_workers=1, cpus=2, ranks=2)
    predicted = Prediction(scenario=scenario, batch_size=32, batch_s=0.4, low_s=0.2, high_s=0.8, error=None)
    record = made_up_whatif(dataset="images", predictions=(predicted,))
    scalings = tuple(with_predictions(scaling, [record], report.cpus) for scaling in report.scalings)
    return report_document(replace(report, scalings=scalings))


def test_the_verdict_names_the_rank_that_holds_the_others_back(document: Document) -> None:
    (verdict,) = (part for part in document.parts if isinstance(part, Callout))
    assert verdict.headline == "One rank holds the others back"
    assert verdict.sentence.startswith("Rank 1 on gpu1 is the slowest in 100")
    assert "of 2 times one rank's throughput; whatif predicted 160" in verdict.evidence


def test_the_ranks_and_their_scaling_are_drawn(document: Document) -> None:
    assert {figure.name for figure in document.figures} >= {"ranks-1", "scaling-1"}
    assert all(figure.svg for figure in document.figures)
    (scaling,) = (figure for figure in document.figures if figure.name == "scaling-1")
    assert all(name in scaling.svg for name in ("measured", "ideal", "predicted"))


def test_every_rank_has_a_row(document: Document) -> None:
    (section,) = (part for part in document.parts if isinstance(part, Section) and part.title.startswith("Ranks: "))
    (table,) = (part for part in walk(section.parts) if isinstance(part, Table))
    assert [row[0].text for row in table.rows] == ["0", "1"]
    assert [row[1].text for row in table.rows] == ["gpu1", "gpu1"]
