"""What a what-if says, in the parts of a document."""

from made_up_predictions import made_up_whatif

from loaderbench.reports.documents.document import Section, Table, Text
from loaderbench.reports.documents.whatif_document import whatif_document
from loaderbench.reports.whatif.pass_schedule import LoaderPass
from loaderbench.reports.whatif.whatif_record import HeldOutPass


def rows(section: str, **facts: object) -> list[list[str]]:
    """The texts of the table in one section."""
    (result,) = (
        part
        for part in whatif_document(made_up_whatif(**facts)).parts
        if isinstance(part, Section) and section in part.title
    )
    (table,) = (part for part in result.parts if isinstance(part, Table))
    return [[cell.text.replace("\u202f", " ") for cell in row] for row in table.rows]


def test_a_prediction_is_of_all_ranks_with_its_interval_and_what_the_step_waits() -> None:
    assert rows("Predictions")[0] == ["2", "2", "0", "32", "1 600", "800 to 3 200", "10 %", "50 %"]


def test_the_workers_that_feed_a_step_are_named_at_best_and_at_worst() -> None:
    assert rows("Fewest workers that keep up with a step of 20")[0] == ["2", "2", "32", "4", "3", "none"]


def test_without_a_step_no_workers_are_named() -> None:
    titles = [
        part.title for part in whatif_document(made_up_whatif(workers_needed=())).parts if isinstance(part, Section)
    ]
    assert not [title for title in titles if title.startswith("Fewest")]


def test_every_held_out_pass_stands_beside_its_prediction_in_a_table_and_a_figure() -> None:
    assert rows("How well")[0] == ["0", "32", "1 s", "1.10 s", "+10 %"]
    (figure,) = whatif_document(made_up_whatif()).figures
    assert "workers=2" in figure.svg
    assert figure.png.startswith(b"\x89PNG")


def test_errors_stand_beside_what_the_measured_times_vary_by() -> None:
    passed = HeldOutPass(num_workers=0, batch_size=8, batches=10, rounds_s=(1.0, 1.1, 0.9, 1.0), predicted_s=1.0)
    texts = [
        text.text
        for section in whatif_document(made_up_whatif(held_out=(passed,))).parts
        if isinstance(section, Section)
        for text in section.parts
        if isinstance(text, Text)
    ]
    assert any("standard error of 4.5" in text for text in texts)


def test_an_interrupted_one_says_how_many_rounds_it_rests_on() -> None:
    (notice,) = whatif_document(made_up_whatif(interrupted=True, rounds=2)).notices
    assert "2 rounds" in notice


def test_what_there_was_no_time_to_compare_is_stated() -> None:
    left_out = LoaderPass(purpose="held out", num_workers=2, batch_size=64)
    (notice,) = whatif_document(made_up_whatif(not_measured=(left_out,))).notices
    assert "2 workers with batches of 64" in notice


def test_a_batch_size_whose_costs_there_was_no_time_for_is_stated() -> None:
    left_out = LoaderPass(purpose="costs", num_workers=0, batch_size=128)
    (notice,) = whatif_document(made_up_whatif(not_measured=(left_out,))).notices
    assert "no time to measure batches of 128 or more" in notice


def test_few_rounds_are_stated_with_the_option() -> None:
    (notice,) = whatif_document(made_up_whatif(rounds=1)).notices
    assert "1 round of measuring only: raise --budget" in notice


def test_a_prediction_that_nothing_was_compared_with_has_no_interval() -> None:
    assert rows("Predictions", held_out=())[0][5] == "–"
    assert rows("Fewest workers", held_out=())[0][4:] == ["–", "–"]


def test_a_loader_that_is_predicted_badly_is_said_not_to_be_chosen_for() -> None:
    far_off = HeldOutPass(num_workers=2, batch_size=64, batches=10, rounds_s=(1.0,), predicted_s=0.6)
    text = limits(held_out=(*made_up_whatif().held_out, far_off))
    assert "differ by less than 40 %" in text
    assert "2 workers with batches of 64" in text
    assert limits() == ""


def limits(**facts: object) -> str:
    """What is said above the predictions in the tone of a warning."""
    sections = [part for part in whatif_document(made_up_whatif(**facts)).parts if isinstance(part, Section)]
    texts = [part for part in sections[0].parts if isinstance(part, Text) and part.tone == "bad"]
    return " ".join(text.text.replace("\u202f", " ") for text in texts)


def test_what_is_not_simulated_of_the_loader_is_said() -> None:
    (notice,) = whatif_document(made_up_whatif(not_simulated=("pin_memory=True",))).notices
    assert notice == "Not simulated: pin_memory=True. Predictions are without it."
