"""Say below a page's title how long it takes to read, and on the front page what the course takes.

The links to the previous and the next page say it too, and so does the sidebar of a chapter.

The time is an estimate by one formula. What readers do (exercises) states its own time; what they
may skip (folded answers, cards, self-tests, the corrections) counts nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from course_tools import tool
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

pages = tool("pages")

WORDS_A_MINUTE = 150
LINES_A_MINUTE = 3
MINUTES_AN_EQUATION = 1
MINUTES_AN_EXPLORABLE = 3
#: The classes of what counts nothing. A prediction's question counts, its answers don't.
APART = {
    "exercise",
    "do",
    "choice",
    "compare",
    "fold",
    "code-fold",
    "experiment-card",
    "self-test",
    "ledger",
    "ledger-corrections",
}
#: A page's line in the sidebar: its file's name, or none on the page itself.
SIDEBAR_LINK = re.compile(
    r'(<a class="(?:current )?reference internal"'
    r' href="(?:#|(?:[^"#]*/)?(?P<page>[\w-]+)\.html)">[^<]*)</a>'
)
#: How an explorable begins in the HTML of an output.
EXPLORABLE = 'class="explorable"'


@dataclass
class Time:
    """What a page takes, in minutes.

    Attributes
    ----------
    reading : float
    writing : int
        Code, in the middle of the page.
    exercises : int
        All exercises, those in the middle included.
    """

    reading: float = 0.0
    writing: int = 0
    exercises: int = 0

    def __add__(self, other: Time) -> Time:
        return Time(
            self.reading + other.reading,
            self.writing + other.writing,
            self.exercises + other.exercises,
        )


@dataclass
class _Counts:
    words: int = 0
    lines: int = 0
    equations: int = 0
    explorables: int = 0


def measure(doctree: nodes.Element) -> Time:
    """Return how long a page takes.

    words / 150 + visible lines of code / 3 + displayed equations + 3 · explorables

    Parameters
    ----------
    doctree : Element
        The page as it was read. A formula in the text counts as one word, an empty line of code
        as none.

    Returns
    -------
    Time
    """
    counts = _Counts()
    time = Time()
    _count(doctree, counts, time)
    time.reading = (
        counts.words / WORDS_A_MINUTE
        + counts.lines / LINES_A_MINUTE
        + counts.equations * MINUTES_AN_EQUATION
        + counts.explorables * MINUTES_AN_EXPLORABLE
    )
    return time


def _count(node: nodes.Node, counts: _Counts, time: Time) -> None:
    """Add what a node holds."""
    if isinstance(node, nodes.Text):
        counts.words += len(node.split())
        return
    if not isinstance(node, nodes.Element) or isinstance(node, nodes.Invisible):
        return
    if "minutes" in node:
        time.exercises += node["minutes"]
        time.writing += node["minutes"] * ("do" in node["classes"])
    part = node.get("nb_element")
    if APART & set(node["classes"]):
        return
    if isinstance(node, nodes.math_block):
        counts.equations += 1
    elif isinstance(node, nodes.math):
        counts.words += 1
    elif isinstance(node, nodes.literal_block):
        counts.lines += sum(bool(line.strip()) for line in node.astext().splitlines())
    elif isinstance(node, nodes.raw):
        counts.explorables += node.astext().count(EXPLORABLE)
    elif part == "cell_code_output":
        for form in node.findall(nodes.raw):
            counts.explorables += form.astext().count(EXPLORABLE)
    elif part == "cell_code_source" and node.parent.get("hide_mode", "") in ("input", "all"):
        return
    else:
        for child in node.children:
            _count(child, counts, time)


def in_words(time: Time) -> str:
    """Return the line below a title."""
    text = f"About {_minutes(max(1, round(time.reading)))}"
    return f"{text}, and {time.writing} to write code" if time.writing else text


def _minutes(count: int) -> str:
    return "1 minute" if count == 1 else f"{count} minutes"


def _hours(minutes: float) -> str:
    """Return a long time in words, to five minutes: more isn't known of it."""
    hours, rest = divmod(5 * max(1, round(minutes / 5)), 60)
    parts = [f"{hours} h" if hours else "", f"{rest} min" if rest else ""]
    return " ".join(filter(None, parts))


class time_line(nodes.General, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """The line below a title."""


class total_time(nodes.General, nodes.Element):  # noqa: N801
    """Stands for the course's total until all pages have been read."""


class CourseTime(SphinxDirective):
    """What the six chapters take, and their deeper pages."""

    def run(self) -> list[nodes.Node]:
        """Return what the sentence will take the place of."""
        return [total_time()]


def _times(env: BuildEnvironment) -> dict[str, Time]:
    """Return the times that are known, by page."""
    if not hasattr(env, "course_times"):
        env.course_times = {}
    return env.course_times


def _is_read_through(docname: str) -> bool:
    """Say whether a page is read from its top to its end: a chapter's, or the gallery."""
    return any(
        docname in (chapter.page, *(f"book/{name}" for name in chapter.deeper))
        for chapter in pages.BY_KEY.values()
    )


def show_time(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line below the title of a page that is read through."""
    docname = app.env.docname
    if not _is_read_through(docname):
        return
    time = measure(doctree)
    _times(app.env)[docname] = time
    title = next(doctree.findall(nodes.title))
    place = title.parent
    place.insert(place.index(title) + 1, time_line(time=time))


def course_time(env: BuildEnvironment) -> list[str]:
    """Return the sentences on the front page."""
    times = _times(env)
    core = [chapter.page for chapter in pages.CHAPTERS]
    deeper = [f"book/{name}" for chapter in pages.CHAPTERS for name in chapter.deeper]
    sentences = []
    total = sum((times[page] for page in core if page in times), Time())
    more = sum((times[page] for page in deeper if page in times), Time())
    sentence = f"About {_hours(total.reading)} to read the chapters"
    if more.reading:
        sentence += f", and {_hours(more.reading)} more for the deeper pages"
    sentences.append(f"{sentence}.")
    doing = (total + more).exercises
    if doing:
        sentences.append(f"The exercises take about {_hours(doing)}.")
    return sentences


def show_total(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the course's total in its place."""
    for place in list(doctree.findall(total_time)):
        text = " ".join(course_time(app.env))
        label = nodes.strong("", "How long it takes.")
        place.replace_self(nodes.paragraph("", "", label, nodes.Text(f" {text}")))


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop what is known of a page that is read again."""
    _times(env).pop(docname, None)


def _short(minutes: float) -> str:
    """Return a time as it stands beside a link."""
    return f"{max(1, round(minutes))} min"


def tell_neighbours(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object
) -> None:
    """Give the links to the previous and the next page their minutes."""
    _, *neighbours = app.builder.relations.get(pagename, (None, None, None))
    for name, docname in zip(("prev", "next"), neighbours, strict=True):
        if docname in _times(app.env):
            context[name]["minutes"] = _short(_times(app.env)[docname].reading)


def tell_sidebar(app: Sphinx, exception: Exception | None) -> None:
    """Write behind each link of the sidebar how long its page takes."""
    if exception is not None or app.builder.name != "html":
        return
    times = {PurePosixPath(page).name: t.reading for page, t in _times(app.env).items()}

    def told(found: re.Match[str], here: str) -> str:
        minutes = times.get(found["page"] or here)
        return found[0] if minutes is None else f"{found[1]} <small>{_short(minutes)}</small></a>"

    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        before, begin, rest = text.partition('<nav class="bd-links')
        sidebar, end, after = rest.partition("</nav>")
        if begin:
            clean = re.sub(r" <small>\d+ min</small>", "", sidebar)
            timed = SIDEBAR_LINK.sub(lambda found, here=path.stem: told(found, here), clean)
            if timed != sidebar:
                new = "".join((before, begin, timed, end, after))
                path.write_text(new, encoding="utf-8", newline="\n")


def merge(
    app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment
) -> None:
    """Take over what another process has read."""
    _times(env).update({d: t for d, t in _times(other).items() if d in docnames})


def update_total(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have the front page written again: any page that was read may have changed the total."""
    return [app.config.root_doc]


def _visit_time(self: Any, node: nodes.Element) -> None:
    """Write the line, with the numbers that it is rounded from."""
    time = node["time"]
    self.body.append(
        f'<p class="reading-time" data-reading="{time.reading:.2f}" '
        f'data-writing="{time.writing}">{in_words(time)}</p>\n'
    )
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx, and register the directive."""
    app.add_node(time_line, html=(_visit_time, None))
    app.add_node(total_time)
    app.add_directive("course-time", CourseTime)
    app.connect("doctree-read", show_time)
    app.connect("doctree-resolved", show_total)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", update_total)
    app.connect("html-page-context", tell_neighbours)
    # Before the page's contents come into the sidebar (`page.py`).
    app.connect("build-finished", tell_sidebar, priority=400)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
