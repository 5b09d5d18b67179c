"""Exercises and predictions, whose answers are folded, and the page that lists them all.

    ::::{exercise} Lengthen a bowl
    :label: ex-motivation-bowl
    :kind: derive
    :minutes: 10
    :difficulty: medium

    The task.

    :::{hint}
    Where to begin.
    :::
    :::{solution}
    What is right.
    :::
    ::::

The cells of code below it that are tagged ``exercise-solution`` and ``exercise-check`` belong to
its solution, and so does a ``{solution}`` between or after them. What a reader is to write stands
between two marks, as ``tools/practice.py`` says; with it the page links to the practice notebook.
``:needs:`` names the cells that this notebook needs first, ``:keeps:`` what it writes to
``my_layer.py`` for the last chapter. ``:do:`` makes the form that stands in the middle of a page.

    ::::{predict} What will happen?
    :label: predict-motivation-headline

    :::{choice} This
    Why it is wrong.
    :::
    :::{choice} That
    :right:
    Why it is right.
    :::
    ::::

``{question}`` has the same form, for a self-test: numbered, and not on the list of exercises.

Everything folds by ``<details>``, which needs no script. ``{exercise-list}`` lists all of them.
(The extension sphinx-exercise has no hints, kinds or choices, and folds by a script.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import quote

from course_tools import tool
from docutils import nodes
from docutils.parsers.rst import directives
from listings import full_title, section_of
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

practice = tool("practice")

logger = logging.getLogger(__name__)

STYLE = "exercises.css"
FEWEST_CHOICES, MOST_CHOICES = 2, 4


class task(nodes.General, nodes.Element):  # noqa: N801 (docutils names nodes so)
    """An exercise or a prediction: a group with a title."""


class task_title(nodes.Part, nodes.TextElement):  # noqa: N801
    """What the group is called by."""


class folded(nodes.General, nodes.Element):  # noqa: N801
    """What opens when its summary is clicked, or when Enter is pressed on it."""


class summary(nodes.Part, nodes.TextElement):  # noqa: N801
    """What of it can be seen while it is closed."""


class practice_link(nodes.General, nodes.Element):  # noqa: N801
    """Hands out the practice notebook of the page."""


class listing(nodes.General, nodes.Element):  # noqa: N801
    """Stands for the list until all pages have been read."""


class _Task(SphinxDirective):
    """What exercises and predictions have in common."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True

    def fact(self, name: str, allowed: tuple[str, ...] = ()) -> str:
        """Return an option that must be there."""
        value = self.options.get(name, "")
        if not value or (allowed and value not in allowed):
            what = f"one of {', '.join(allowed)}" if allowed else "something"
            raise self.error(f"{self.arguments[0]!r}: expected {what} in :{name}:, got {value!r}")
        return str(value)

    def begin(self, classes: list[str], name: str, title: str) -> task:
        """Return the node with its title, known by its label to the whole book."""
        label = self.fact("label")
        node = task(ids=[label], classes=classes)
        self.set_source_info(node)
        std = cast(StandardDomain, self.env.get_domain("std"))
        if label in std.anonlabels:
            raise self.error(
                f"{self.arguments[0]!r}: expected a label of its own in :label:, got {label!r}"
            )
        std.note_hyperlink_target(label, self.env.docname, label, title)
        heading = task_title("", "", nodes.inline("", name, classes=["task-name"]))
        heading += [nodes.Text(" "), *self.inline(self.arguments[0])]
        node += heading
        return node

    def inline(self, text: str) -> list[nodes.Node]:
        """Return a line of MyST as nodes."""
        parsed, messages = self.state.inline_text(text, self.lineno)
        return [*parsed, *messages]

    def note(self, node: task, name: str, **facts: Any) -> None:
        """Store what the list says."""
        heading = cast(nodes.Element, node.children[0])
        title = [part.deepcopy() for part in heading.children[2:]]
        entry = {"label": node["ids"][0], "name": name, "title": title, **facts}
        _stored(self.env).setdefault(self.env.docname, []).append(entry)


class Exercise(_Task):
    """A task with its kind, difficulty and time."""

    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {
        "label": directives.unchanged_required,
        "kind": directives.unchanged_required,
        "difficulty": directives.unchanged_required,
        "minutes": directives.positive_int,
        "needs": directives.unchanged,
        "keeps": directives.unchanged,
        "do": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Return the exercise; its cells are moved into it when the page has been read."""
        kind = self.fact("kind", practice.KINDS)
        difficulty = self.fact("difficulty", practice.DIFFICULTIES)
        minutes = int(self.fact("minutes"))
        do = "do" in self.options
        name = "Do" if do else f"Exercise {self.number()}"
        node = self.begin(["do" if do else "exercise"], name, self.arguments[0] if do else name)
        node["minutes"] = minutes
        facts = f"{kind} · {minutes} minutes · {difficulty}"
        node += nodes.paragraph(facts, facts, classes=["task-facts"])
        self.state.nested_parse(self.content, self.content_offset, node)
        self.note(node, name, kind=kind, minutes=minutes, difficulty=difficulty)
        return [node]

    def number(self) -> str:
        """Return the number: that of the page, as in its name, and of the exercise on it."""
        counted = self.env.temp_data.get("exercises", 0) + 1
        self.env.temp_data["exercises"] = counted
        page = re.match(r"0?(\d+)(?:-(\d+))?(?=-)", self.env.docname.rpartition("/")[2])
        return ".".join(
            [*(part for part in (page.groups() if page else ()) if part), str(counted)]
        )


class Solution(SphinxDirective):
    """A piece of a solution, in words."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return it; it is moved into its exercise when the page has been read."""
        node = nodes.container(classes=["solution-words"])
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Predict(_Task):
    """A question with choices, each of which is answered."""

    kinds: ClassVar[list[str]] = ["predict"]
    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {
        "label": directives.unchanged_required
    }

    def run(self) -> list[nodes.Node]:
        """Return the prediction."""
        node = self.begin([*self.kinds], self.called(), self.arguments[0])
        self.state.nested_parse(self.content, self.content_offset, node)
        choices = [child for child in node.children if isinstance(child, folded)]
        right = [choice for choice in choices if "right" in choice["classes"]]
        if not FEWEST_CHOICES <= len(choices) <= MOST_CHOICES or len(right) != 1:
            raise self.error(
                f"{self.arguments[0]!r}: expected {FEWEST_CHOICES} to {MOST_CHOICES} choices, one "
                f"of them right, got {len(choices)}, {len(right)} of them right"
            )
        for choice in choices:
            node.remove(choice)
        node += nodes.container("", *choices, classes=["choices"])
        self.enter(node)
        return [node]

    def called(self) -> str:
        """Return what stands before the title."""
        return "Predict"

    def enter(self, node: task) -> None:
        """Put it on the list."""
        self.note(node, "Predict", kind="prediction")


class Question(Predict):
    """A question of a self-test: a prediction's form, numbered within its section."""

    kinds: ClassVar[list[str]] = ["predict", "question"]

    def called(self) -> str:
        """Return its number in the test that it belongs to."""
        counts = self.env.temp_data.setdefault("questions", {})
        test = self.fact("label").rsplit("-", 1)[0]
        counts[test] = counts.get(test, 0) + 1
        return f"{counts[test]}."

    def enter(self, node: task) -> None:
        """Leave the list of exercises alone: a self-test is read as one."""


class Choice(_Task):
    """One of the answers that a reader may give to a prediction, and what is to be said of it."""

    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {"right": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the folded answer."""
        if not self.content:
            raise self.error(f"the choice {self.arguments[0]!r} is not answered")
        right = "right" in self.options
        node = folded(classes=["choice", "right" if right else "wrong"])
        node += summary("", "", *self.inline(self.arguments[0]))
        self.state.nested_parse(self.content, self.content_offset, node)
        first = node.children[1]
        if not isinstance(first, nodes.paragraph):
            raise self.error(f"the answer to {self.arguments[0]!r} must begin with a sentence")
        verdict = "Yes." if right else "No."
        first.insert(0, [nodes.strong("", verdict), nodes.Text(" ")])
        return [node]


class Assemble(SphinxTransform):
    """Move the cells of each exercise into its solution, and fold hints and solution."""

    # Before the transforms that look at single nodes.
    default_priority = 200

    def apply(self, **kwargs: Any) -> None:
        """Change the page in place."""
        for node in list(self.document.findall(task)):
            if "predict" not in node["classes"]:
                self.assemble(node)
        for node in self.document.findall(nodes.container):
            in_task = any(isinstance(parent, folded) for parent in _above(node))
            if _belongs(node) and not in_task:
                logger.warning(
                    "what belongs to a solution must follow its exercise", location=node
                )

    def assemble(self, node: task) -> None:
        """Bring an exercise into its form: task, code to fill, hints, solution."""
        solution = folded(classes=["solution"])
        solution += summary("Solution", "Solution")
        hints = []
        for child in list(node.children):
            if isinstance(child, nodes.hint):
                node.remove(child)
                hints.append(child)
            elif _belongs(child):
                node.remove(child)
                solution += child
        siblings = node.parent.children
        behind = siblings[siblings.index(node) + 1 :]
        asked = []
        has_gap = False
        for cell in behind:
            if not _belongs(cell):
                break
            node.parent.remove(cell)
            solution += cell
            for block in _source(cell):
                text = block.astext()
                gap = practice.with_gaps(text)
                if gap != text.rstrip("\n"):
                    has_gap = True
                    _set_text(block, practice.shown(text))
                    asked.append(gap)
                elif f"tag_{practice.CHECK}" in cell["classes"]:
                    asked.append(text)
                if practice.MARK.search(block.astext()):
                    logger.warning("a mark of a gap has no other end, or no words", location=cell)
        if has_gap:
            node += _code("\n\n".join(asked), node)
            node += self.link()
        for number, hint in enumerate(hints, start=1):
            name = "Hint" if len(hints) == 1 else f"Hint {number}"
            node += folded("", summary(name, name), *hint.children, classes=["hint"])
        if len(solution.children) == 1:
            logger.warning("an exercise without a solution", location=node)
        node += solution

    def link(self) -> practice_link:
        """Return the link to the page's practice notebook."""
        place = practice.target(self.env.docname)
        path = Path(self.env.srcdir) / place
        self.env.note_dependency(str(path))
        if not path.exists():
            logger.warning("there is no %s: run `make practice`", place, location=self.env.docname)
            return practice_link(name=place.name, text="")
        return practice_link(name=place.name, text=path.read_text(encoding="utf-8"))


def _above(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _belongs(node: nodes.Node) -> bool:
    """Say whether a node is a part of a solution."""
    mine = {"solution-words", f"tag_{practice.SOLUTION}", f"tag_{practice.CHECK}"}
    return isinstance(node, nodes.container) and bool(mine & set(node["classes"]))


def _source(cell: nodes.Element) -> Iterator[nodes.literal_block]:
    """Yield the source of a cell of code."""
    for part in cell.children:
        if isinstance(part, nodes.Element) and "cell_input" in part["classes"]:
            yield from part.findall(nodes.literal_block)


def _set_text(block: nodes.literal_block, text: str) -> None:
    block.rawsource = text
    block.children = []
    block += nodes.Text(text)


def _code(text: str, like: nodes.Element) -> nodes.container:
    """Return code that looks like a cell of the notebook, and is none."""
    block = nodes.literal_block(text, text, language="ipython3")
    block.source, block.line = like.source, like.line
    cell = nodes.container("", block, classes=["cell_input"], nb_element="cell_code_source")
    return nodes.container("", cell, classes=["cell", "to-fill"])


class ExerciseList(SphinxDirective):
    """All exercises and predictions, by page."""

    def run(self) -> list[nodes.Node]:
        """Return what the list will take the place of."""
        _listing_pages(self.env).add(self.env.docname)
        return [listing()]


def _stored(env: BuildEnvironment) -> dict[str, list[dict[str, Any]]]:
    """Return what is known of the exercises, by page."""
    if not hasattr(env, "course_exercises"):
        env.course_exercises = {}
    return env.course_exercises


def _listing_pages(env: BuildEnvironment) -> set[str]:
    """Return the pages on which the list stands."""
    if not hasattr(env, "course_exercise_lists"):
        env.course_exercise_lists = set()
    return env.course_exercise_lists


def _in_order(env: BuildEnvironment) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the pages that have exercises in the order of reading."""
    stored = _stored(env)
    waiting = [env.config.root_doc]
    while waiting:
        docname = waiting.pop(0)
        if stored.get(docname):
            yield docname, stored[docname]
        waiting = [*env.toctree_includes.get(docname, []), *waiting]


def _amount(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def show_lists(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the list in its place."""
    for place in list(doctree.findall(listing)):
        found: list[nodes.Node] = []
        everything = [entry for _, entries in _in_order(app.env) for entry in entries]
        minutes = [entry["minutes"] for entry in everything if "minutes" in entry]
        text = (
            f"There are {_amount(len(minutes), 'exercise')}, {sum(minutes)} minutes in all, and "
            f"{_amount(len(everything) - len(minutes), 'prediction')}."
        )
        found.append(nodes.paragraph(text, text))
        for page, entries in _in_order(app.env):
            title = full_title(app.env, page)
            link = make_refnode(app.builder, docname, page, "", nodes.Text(title))
            items = nodes.bullet_list(classes=["exercise-list"])
            for entry in entries:
                items += _item(app, docname, page, entry)
            found.append(section_of(app.env, docname, page, link, items))
        place.replace_self(found)


def _item(app: Sphinx, docname: str, page: str, entry: dict[str, Any]) -> nodes.list_item:
    title = [part.deepcopy() for part in entry["title"]]
    kind = entry["name"].split()[0].lower()
    name = nodes.inline("", f"{entry['name']}: ", classes=["kind", f"kind-{kind}"])
    words = nodes.inline("", "", name, *title)
    link = make_refnode(app.builder, docname, page, entry["label"], words)
    line = nodes.paragraph("", "", link)
    if "minutes" in entry:
        facts = f"{entry['kind']} · {entry['minutes']} minutes · {entry['difficulty']}"
        line += [nodes.Text(" "), nodes.inline(facts, facts, classes=["task-facts"])]
    return nodes.list_item("", line)


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Drop what is known of a page that is read again."""
    _stored(env).pop(docname, None)
    _listing_pages(env).discard(docname)


def merge(
    app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment
) -> None:
    """Take over what another process has read."""
    _stored(env).update({d: e for d, e in _stored(other).items() if d in docnames})
    _listing_pages(env).update(_listing_pages(other) & set(docnames))


def update_lists(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have the list written again: any page that was read may have changed it."""
    return sorted(_listing_pages(env))


def add_style(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Load the style where it is used, and nowhere else."""
    if doctree is not None and (
        next(doctree.findall(task), None) is not None or pagename in _listing_pages(app.env)
    ):
        app.add_css_file(STYLE)


def _visit_task(self: Any, node: nodes.Element) -> None:
    name = f"{node['ids'][0]}-title"
    self.body.append(self.starttag(node, "div", role="group", **{"aria-labelledby": name}))


def _depart_task(self: Any, node: nodes.Element) -> None:
    self.body.append("</div>\n")


def _visit_title(self: Any, node: nodes.Element) -> None:
    name = f"{node.parent['ids'][0]}-title"
    self.body.append(f'<p class="task-title" id="{name}">')


def _depart_title(self: Any, node: nodes.Element) -> None:
    self.body.append("</p>\n")


def _visit_folded(self: Any, node: nodes.Element) -> None:
    self.body.append(self.starttag(node, "details", CLASS="folded"))


def _depart_folded(self: Any, node: nodes.Element) -> None:
    self.body.append("</details>\n")


def _visit_summary(self: Any, node: nodes.Element) -> None:
    self.body.append("<summary>")


def _depart_summary(self: Any, node: nodes.Element) -> None:
    self.body.append("</summary>\n")


def _visit_link(self: Any, node: nodes.Element) -> None:
    """Write a link that holds what it downloads: from file:// a browser only shows files."""
    href = f"data:application/x-ipynb+json;charset=utf-8,{quote(node['text'])}"
    link = f'<a class="reference download" download="practice-{node["name"]}" href="{href}">'
    self.body.append(f'<p class="practice-link">{link}Download the practice notebook</a></p>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx, and register the directives."""
    app.add_node(task, html=(_visit_task, _depart_task))
    app.add_node(task_title, html=(_visit_title, _depart_title))
    app.add_node(folded, html=(_visit_folded, _depart_folded))
    app.add_node(summary, html=(_visit_summary, _depart_summary))
    app.add_node(practice_link, html=(_visit_link, None))
    app.add_node(listing)
    app.add_directive("exercise", Exercise)
    app.add_directive("solution", Solution)
    app.add_directive("predict", Predict)
    app.add_directive("question", Question)
    app.add_directive("choice", Choice)
    app.add_directive("exercise-list", ExerciseList)
    app.add_transform(Assemble)
    app.connect("html-page-context", add_style)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", update_lists)
    app.connect("doctree-resolved", show_lists)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
