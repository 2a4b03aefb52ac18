"""A document's parts: each can be found, whichever outputs show it."""

from loaderbench.reports.documents.document import Callout, Document, Section, Text, walk


def test_every_part_is_walked_in_reading_order_whatever_it_is_inside() -> None:
    inner, last = Text(text="inner"), Text(text="last")
    folded = Section(title="folded", parts=(inner,), folded=True)
    callout = Callout(headline="headline", details=(folded,))
    assert list(walk((callout, last))) == [callout, folded, inner, last]


def test_a_documents_figures_are_those_of_all_its_sections(whole_document: Document) -> None:
    assert [figure.name for figure in whole_document.figures] == ["line"]
