"""The explorable (frames, their order, its HTML, text and live forms), figures' words, and their
drawings for narrow screens."""

import base64
import io
import json
import re
from html import unescape
from types import SimpleNamespace

import pytest
from matplotlib.text import Text
from PIL import Image

from bncourse.display import Choice, Explorable, FigureWithWords, Range, Switch, Table
from bncourse.display.figure import NARROW, powers
from bncourse.display.narrow import SMALLEST, WIDTH, narrowed, relabelled, with_letters
from bncourse.display.style import join, new_figure, style, title


def draw(x, kind, on, hidden=7.0):
    """A figure whose words name its arguments."""
    if x > 3:
        raise RuntimeError("x is <too> large")
    with style():
        figure, ax = new_figure(2, 1)
        ax.plot([0, x])
    return FigureWithWords(
        figure, f"x is {x:g}, kind {kind}, {'on' if on else 'off'}, {hidden:g}."
    )


@pytest.fixture(scope="module")  # its frames are drawn once
def explorable():
    return Explorable(
        "A <test>",
        draw,
        {
            "x": Range("x", (-1.0, 0.0, 2.0), 0.0, low=-1.0, high=5.0),
            "kind": Choice("kind", ("a", "b"), "b"),
            "on": Switch("on"),
            "hidden": Range("hidden", (7.0,), 7.0, low=0.0, high=9.0),
        },
    )


def stored(explorable):
    (text,) = re.findall(
        r'<script type="application/json">(.*?)</script>', explorable.html(), re.S
    )
    return json.loads(text)


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        ([1, 2.5], True),
        ([1, "never"], True),
        (["8", "1.5e-31", ""], True),
        ([2.0, "–"], True),
        (["4,600", "0.02"], True),
        (["8 (7 to 9)", "never"], False),
        (["never", "none"], False),
        ([1, "one"], False),
        (["64-100-10", "2"], False),
    ],
)
def test_a_column_of_numbers_stands_right_also_where_a_number_is_missing(cells, right):
    rows = [[f"row {k}", cell] for k, cell in enumerate(cells)]
    table = Table(rows, {"row": "", "value": ""}, "What a column holds.").html()
    assert ('<th scope="col" class="number">value</th>' in table) == right


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("below 1e-12", "below 10⁻¹²"),
        ("β_eff, η = 1", "β<sub>eff</sub>, η = 1"),
        ("dz_norm", "dz<sub>norm</sub>"),
        ("Var[x_k] over k", "Var[x<sub>k</sub>] over k"),
        ("λmax", "λ<sub>max</sub>"),
        ("z[3], a[1]", "z<sup>[3]</sup>, a<sup>[1]</sup>"),
        ("after batch_norm_backward", "after <code>batch_norm_backward</code>"),
        ("the winner's <share>", "the winner's &lt;share&gt;"),
    ],
)
def test_a_table_writes_symbols_as_the_text_does(text, shown):
    table = Table([[text, text]], {text: "", "value": ""}, "What a cell holds.").html()
    assert f'<th scope="row">{shown}</th><td>{shown}</td>' in table
    assert f'<th scope="col">{shown}</th>' in table


def test_a_head_stands_above_its_columns():
    heads = {"arm": "", ("rate", "0.1"): "", ("rate", "0.3"): "", "": ""}
    table = Table([["batch norm", 24, 9, "met"]], heads, "Steps by rate.")
    assert repr(table).splitlines() == [
        "Steps by rate.",
        "            rate",
        "arm         0.1  0.3",
        "batch norm   24    9  met",
    ]
    upper, lower = table.html().partition("<thead>")[2].partition("</thead>")[0].splitlines()
    assert '<th scope="col" rowspan="2">arm</th><th scope="colgroup" colspan="2"' in upper
    assert upper.endswith('<td rowspan="2"></td></tr>')
    assert lower.count('<th scope="col"') == 2


@pytest.mark.parametrize("head", [("rate",), ("rate", "0.1", "steps"), 0.1])
def test_a_head_is_words_or_a_pair_of_them(head):
    with pytest.raises(ValueError, match="columns: expected a head or a pair of heads, got"):
        Table([["ReLU", 24]], {"arm": "", head: ""}, "One row.")


def test_a_long_head_makes_its_last_column_wider():
    heads = {"arm": "", ("steps of all networks", "0.1"): "", ("accuracy", "0.1"): ""}
    lines = repr(Table([["ReLU", 24, 0.9]], heads, "Two measures.")).splitlines()
    assert lines[1] == "      steps of all networks  accuracy"
    assert lines[3] == "ReLU                     24       0.9"


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([["raw", "none"], ["raw", "both"]], "results"),
        ([["batch norm, as it was in the beginning", 2]], "results"),
        ([["batch norm, as it was in the beginning", 2, 3, 4]], "results"),
        ([["batch norm, as it was", 2, 3, "0.97 (0.95 to 0.98)"]], "results"),
        ([["batch norm, as it was", 2, *2 * ["0.97 (0.95 to 0.98)"]]], "results named"),
        ([["raw", *3 * ["0.97 (0.95 to 0.98)"]]], "results named"),
        ([["ReLU", "What holds of some networks, and not of the others that were seen."]], ""),
    ],
)
def test_a_table_says_how_a_phone_can_show_it(rows, kind):
    heads = ("inputs", "what is known", "at 0.1", "at 1")[: len(rows[0])]
    html = Table(rows, dict.fromkeys(heads, ""), "Rows and their names.").html()
    assert f'<div class="{kind or "results wordy"}">' in html
    # Cells that stand below each other say what they are.
    assert ('<td data-head="what is known">' in html) == (not kind)
    assert ('<table style="--columns: 3">' in html) == (kind == "results named")


def test_there_is_one_frame_for_each_combination_of_stops(explorable):
    assert len(explorable.frames) == 3 * 2 * 2
    for setting, frame in zip(explorable.settings, explorable.frames, strict=True):
        assert frame.words == draw(**setting).words


def test_the_last_control_changes_fastest_as_the_page_s_script_expects(explorable):
    data = stored(explorable)
    assert [len(texts) for texts in data["texts"]] == [3, 2, 2]
    for x in range(3):
        for kind in range(2):
            for on in range(2):
                words = data["frames"][(x * 2 + kind) * 2 + on]["words"]
                expected = ("−1", "0", "2")[x], "ab"[kind], ("off", "on")[on]
                assert words == draw((-1.0, 0.0, 2.0)[x], expected[1], bool(on)).words
                assert [data["texts"][0][x], data["texts"][1][kind], data["texts"][2][on]] == list(
                    expected
                )


def test_the_first_frame_is_the_start_and_is_stored_once(explorable):
    data, html = stored(explorable), explorable.html()
    assert explorable.settings[data["start"]] == {
        "x": 0.0,
        "kind": "b",
        "on": False,
        "hidden": 7.0,
    }
    assert data["pictures"][data["frames"][data["start"]]["picture"]] == ""
    assert html.count(explorable.frames[data["start"]].source) == 1
    alt = unescape(re.findall(r'alt="([^"]*)"', html)[0])
    assert alt == explorable.frames[data["start"]].words


def test_pictures_that_look_the_same_are_stored_once(explorable):
    data = stored(explorable)
    assert len(data["pictures"]) == 3  # only x is drawn
    for frame, entry in zip(explorable.frames, data["frames"], strict=True):
        assert data["pictures"][entry["picture"]] in ("", frame.source)


def test_a_control_with_one_stop_is_not_in_the_page(explorable):
    assert explorable.html().count('<input type="range"') == 1
    assert "hidden" not in explorable.describe(explorable.settings[0])


def test_the_text_form_holds_the_words_of_every_frame(explorable):
    lines = repr(explorable).splitlines()
    assert lines[0] == "A <test>"
    assert len(lines) == 1 + len(explorable.frames)
    assert lines[1] == "x = −1, kind = a, on = off: x is -1, kind a, off, 7."


def test_words_can_be_looked_up(explorable):
    assert explorable.at(x=2.0, kind="a", on=True, hidden=7.0) == "x is 2, kind a, on, 7."
    with pytest.raises(ValueError, match="among the stops"):
        explorable.at(x=1.0, kind="a", on=True, hidden=7.0)


def test_markup_in_titles_and_words_is_escaped(explorable):
    assert "<test>" not in explorable.html()

    def end_script(x):
        with style():
            figure, _ = new_figure(2, 1)
        return FigureWithWords(figure, "</script> & <b>.")

    hostile = Explorable("hostile", end_script, {"x": Range("x", (0.0, 1.0), 0.0)})
    assert stored(hostile)["frames"][1]["words"] == "</script> & <b>."
    assert hostile.html().count("</script>") == 2


def test_nothing_in_the_html_is_random(explorable):
    again = Explorable(explorable.title, draw, explorable.controls)
    assert again.html() == explorable.html()
    assert " id=" not in explorable.html()


def test_the_mime_bundle_has_html_and_words_outside_a_kernel(explorable):
    bundle = explorable._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(explorable)


def test_the_live_form_follows_its_controls(explorable):
    box = explorable.live()
    x, kind, on, _, view = box.children
    assert "x is 0, kind b, off, 7." in view.value
    x.value = 1.5
    kind.value = "a"
    on.value = True
    assert "x is 1.5, kind a, on, 7." in view.value
    assert view.value.startswith('<img src="data:image/webp;base64,')


def test_an_error_while_drawing_reaches_the_reader_and_the_next_value_works(explorable):
    box = explorable.live()
    x, view = box.children[0], box.children[-1]
    x.value = 4.0
    assert 'role="alert"' in view.value
    assert "RuntimeError: x is &lt;too&gt; large" in view.value
    x.value = 2.0
    assert "x is 2," in view.value


def test_live_sliders_have_their_own_ends_steps_and_scales():
    whole = Range("m", (1, 8), 8, step=1).widget()
    assert isinstance(whole.value, int)
    assert (whole.min, whole.max) == (1, 8)
    log = Range("rate", (0.1, 1.0), 1.0, high=10.0, log=True, step=0.5).widget()
    assert (log.min, log.max, log.value) == (-1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Explorable("x", draw, {}), "at least one"),
        (lambda: Range("x", (), 0.0), "at least one value"),
        (lambda: Range("x", (0.0, 1.0), 0.5), "start among"),
        (lambda: Range("x", (1.0, 0.0), 0.0), "increasing"),
        (lambda: Choice("x", ("a",), "b"), "start among"),
    ],
)
def test_bad_controls_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("values", "joined"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")]
)
def test_words_are_joined_as_in_a_sentence(values, joined):
    assert join(list(values)) == joined


@pytest.mark.parametrize("words", ["", "   ", "no full stop", None, 5])
def test_a_figure_without_a_sentence_is_refused(words):
    with pytest.raises(ValueError, match=r"words: expected one or two sentences, got"):
        FigureWithWords(SimpleNamespace(), words)


def test_words_are_one_line():
    assert FigureWithWords(SimpleNamespace(), "Two\n   lines. ").words == "Two lines."


TABLE = Table(
    [["raw <x>", 503, -1.5], ["standardised", 41, float("inf")]],
    {"inputs": "", "steps": "", "loss (nats)": ".2f"},
    "Steps to 95 %.",
)


def test_a_table_s_text_lines_up():
    assert repr(TABLE).splitlines() == [
        "Steps to 95 %.",
        "inputs        steps  loss (nats)",
        "raw <x>         503        −1.50",
        "standardised     41        never",
    ]


def test_a_table_gives_numbers_a_minus_and_leaves_words_their_hyphens():
    shown = repr(Table([["MNIST-1D", -1]], {"data": "", "sign": ""}, "One row."))
    assert shown.splitlines()[2].split() == ["MNIST-1D", "−1"]


def test_a_table_s_html_has_a_caption_and_heads_of_columns_and_rows():
    html = TABLE.html()
    assert "<caption>Steps to 95 %.</caption>" in html
    assert html.count('<th scope="col"') == 3
    assert html.count('<th scope="row"') == 2
    assert "raw &lt;x&gt;" in html
    assert html.count('<td class="number">') == 4
    assert set(TABLE._repr_mimebundle_()) == {"text/html", "text/plain"}


@pytest.mark.parametrize(
    ("rows", "caption", "message"),
    [([["a"]], "A sentence.", "expected 2 cells"), ([["a", 1]], "Words", "expected a sentence")],
)
def test_a_table_that_is_none_is_refused(rows, caption, message):
    with pytest.raises(ValueError, match=message):
        Table(rows, {"a": "", "b": ""}, caption)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-05", "10⁻⁵"),
        ("2e+01", "2 · 10¹"),
        ("1.5e-31", "1.5 · 10⁻³¹"),
        ("Mean 10^4, 10^0.", "Mean 10⁴, 10⁰."),
        ("10^0.25", "10^0.25"),  # no superscript has a point
        ("1e, 210^4, 0.5", "1e, 210^4, 0.5"),
    ],
)
def test_powers_of_ten_are_raised(text, expected):
    assert powers(text) == expected


LONG = "With batch norm twelve of the thirty settings train; without it 1 = one of them does"


def two_panels():
    """A wide figure: two panels that share what stands at the left, a small label in the first."""
    with style():
        figure, axes = new_figure(6.4, 3.8, 1, 2, sharey=True)
        for ax, name in zip(axes, ("raw", "standardised"), strict=True):
            ax.plot([0, 1], [0.2, 0.9])
            ax.set_title(f"rate 1,\n{name}", fontsize=10)
            ax.set_xlabel("learning rate")
        axes[0].set_ylabel("test accuracy")
        axes[0].annotate("here", (0, 0.2), xytext=(3, 4), textcoords="offset points", fontsize=8)
        title(figure, LONG)
    return figure


def test_the_narrow_drawing_leaves_the_figure_as_it_was():
    shown = FigureWithWords(two_panels(), "Two lines.")
    narrow = narrowed(shown.figure, lambda copy: copy.axes[0].set_xlabel("changed"))
    assert narrow.axes[0].get_xlabel() == "changed"
    assert shown.figure.get_suptitle() == LONG
    assert shown.size == (640, 380)
    # Pixel for pixel what it would have been.
    assert shown.png() == FigureWithWords(two_panels(), "Two lines.").png()
    assert shown.words == "Two lines."


def test_the_narrow_drawing_is_as_wide_as_a_phone_shows_it_and_its_letters_can_be_read():
    narrow = narrowed(two_panels())
    assert narrow.get_figwidth() == WIDTH
    assert SMALLEST / 72 * 360 / WIDTH >= 10.5
    sizes = [text.get_fontsize() for text in narrow.findobj(Text)]
    assert min(sizes) == SMALLEST


def test_the_title_is_broken_where_a_part_of_the_sentence_ends_and_fits():
    narrow = narrowed(two_panels())
    narrow.draw_without_rendering()
    title_, box = narrow._suptitle, narrow._suptitle.get_window_extent()
    assert len(title_.get_text().split("\n")) == 3
    assert " ".join(title_.get_text().split()) == " ".join(LONG.split())
    assert "1\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}one" in title_.get_text()
    assert 0 <= box.x0 < box.x1 <= narrow.bbox.width
    with style():
        figure, ax = new_figure()
        ax.set_title("A stored ruler feels the bias b; a made one, only rounding")
    halves = narrowed(figure).get_suptitle().split("\n")
    assert halves == ["A stored ruler feels the bias b;", "a made one, only rounding"]


def test_panels_side_by_side_come_below_one_another_and_each_says_its_scale():
    narrow = narrowed(two_panels())
    narrow.draw_without_rendering()
    first, second = (ax.get_window_extent() for ax in narrow.axes)
    assert second.y1 < first.y0
    assert first.x0 == pytest.approx(second.x0)
    assert first.width > 0.7 * narrow.bbox.width
    assert 0.4 < first.height / first.width < 0.8
    for ax in narrow.axes:
        assert ax.get_ylabel() == "test accuracy"
        assert ax.yaxis.get_tick_params()["labelleft"]
    assert [ax.get_title("left") for ax in narrow.axes] == ["rate 1, raw", "rate 1, standardised"]


def test_panels_in_several_rows_stay_in_them():
    with style():
        figure, _ = new_figure(6.4, 3.8, 2, 2)
    narrow = narrowed(figure)
    narrow.draw_without_rendering()
    boxes = [ax.get_window_extent() for ax in narrow.axes]
    assert boxes[0].y0 == pytest.approx(boxes[1].y0)
    assert boxes[0].x0 == pytest.approx(boxes[2].x0)


def test_panels_over_several_rows_keep_their_places():
    with style():
        figure, _ = new_figure(6.4, 3.8)
        figure.clear()
        figure.subplot_mosaic("AB;AC")
    narrow = narrowed(figure)
    narrow.draw_without_rendering()
    assert [len(ax.get_subplotspec().rowspan) for ax in narrow.axes] == [2, 1, 1]


def test_a_height_that_a_change_adds_is_that_of_the_panels():
    def taller(figure):
        figure.set_figheight(figure.get_figheight() + 1)

    heights = [narrowed(two_panels(), change).get_figheight() for change in (None, taller)]
    assert heights[1] - heights[0] == pytest.approx(1, abs=0.1)


def test_labels_are_moved_in_the_copy_and_a_label_that_is_not_there_is_loud():
    narrow = narrowed(two_panels(), relabelled({"here": {"text": "there", "position": (9, 1)}}))
    (label,) = narrow.axes[0].texts
    assert (label.get_text(), label.get_position()) == ("there", (9, 1))
    assert narrowed(two_panels(), with_letters(11)).axes[0].texts[0].get_fontsize() == 11
    with pytest.raises(ValueError, match="no label 'nowhere'"):
        narrowed(two_panels(), relabelled({"nowhere": {"text": "x"}}))


def test_the_output_holds_both_drawings_and_the_same_words():
    data, metadata = FigureWithWords(two_panels(), "Two lines.")._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain", NARROW}
    assert data["text/plain"] == "Two lines."
    head, _, text = data[NARROW].partition(",")
    assert head == "data:image/webp;base64"
    wide, narrow = (Image.open(io.BytesIO(b)) for b in (data["image/png"], base64.b64decode(text)))
    assert wide.width == 2 * metadata["image/png"]["width"] == 1280
    assert narrow.width == 200 * WIDTH
    assert narrow.height > wide.height


def test_a_figure_that_cannot_be_copied_has_one_drawing():
    figure = two_panels()
    figure.axes[0].xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    data, _ = FigureWithWords(figure, "Two lines.")._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
