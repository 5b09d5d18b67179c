"""Each measured result of a page has a card, with a control and what the run was made of.

A figure, table or explorable that was computed exactly has none; its cell says so by its tag
``exact``.
"""

from __future__ import annotations

import nbformat
import pytest

from bncourse.display import EXACT, Card, FigureWithWords, Table
from bncourse.display.card import without_card
from bncourse.display.style import new_figure

from ..loading import load

pages = load("pages")
NOTEBOOKS = pages.notebooks()


def missing(notebook):
    """Return the cells that show a result with neither a card nor the tag."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            shown = "image/png" in data or "text/html" in data
            _, card = without_card(data.get("text/plain", ""))
            exact = "exact" in cell.metadata.get("tags", [])
            if shown and bool(card) == exact:
                found.append(cell.id)
            if card and [name for name, _ in card[:3]] != ["Question", "Control", "Mode"]:
                found.append(cell.id)
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_measured_result_has_a_card(path):
    assert missing(nbformat.read(path, as_version=4)) == []


def shown(result, *tags):
    bundle = result._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    if "image/png" in data:
        data["image/png"] = "not looked at"
    output = nbformat.v4.new_output("display_data", data=data)
    cell = nbformat.v4.new_code_cell("", outputs=[output], metadata={"tags": list(tags)})
    return nbformat.v4.new_notebook(cells=[cell])


CARD = Card("Why?", "The same without.", "Evaluation.", {"seed": [0, 1, 2]})


def figure(card):
    made, ax = new_figure(2, 1)
    ax.plot([0, 1])
    return FigureWithWords(made, "A line.", card)


def table(card):
    return Table([["a", 1.0]], {"what": "", "how much": ".1f"}, "Much.", card)


@pytest.mark.parametrize("make", [figure, table])
def test_a_result_without_a_card_is_found_and_an_exact_one_says_so(make):
    assert missing(shown(make(CARD))) == []
    assert missing(shown(make(EXACT)))
    assert missing(shown(make(EXACT), "exact")) == []
    assert missing(shown(make(CARD), "exact"))
    with pytest.raises(TypeError, match=r"expected the card of a measured result, got None"):
        make(None)


@pytest.mark.parametrize("field", ["question", "control", "mode"])
def test_a_card_without_a_sentence_is_refused(field):
    sentences = {"question": "Why?", "control": "The same without.", "mode": "Evaluation."}
    with pytest.raises(ValueError, match=rf"{field}: expected a sentence, got ''"):
        Card(**sentences | {field: ""}, settings={"seed": [0]})


@pytest.mark.parametrize("settings", [{}, {"colour": ["red"]}])
def test_a_card_of_nothing_or_of_unknown_things_is_refused(settings):
    with pytest.raises(ValueError, match="settings: expected some of"):
        Card("Why?", "None.", "None.", settings)
