"""Write formulas as MathML when the book is built, so that no page needs a script to show them.

``math-core`` converts LaTeX. What it does not know is a warning, which fails the build. The LaTeX
stays beside each formula as an annotation that is not shown. A displayed formula lies in a box of
its own, which scrolls when the formula is wider than the text, and its number stands outside it.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

MACROS = {
    "xrightarrow": r"\mathrel{\overset{\mspace{6mu}#1\mspace{6mu}}{\rightarrow}}",
}
CONVERTER = LatexToMathML(annotation=True, fancy_error=False, macros=MACROS)
#: An arrow below a label grows with it.
ARROW = re.compile(r'(?<=<mover>)<mo stretchy="false"(?=[^>]*>→</mo>)')
#: What may not be parted from a formula by the end of a line.
BEFORE = re.compile(r"[(\[“‘]+$")
BEHIND = re.compile(r"[.,;:!?)\]’”…]+|[-–]\w{1,15}[.,;:!?)]*")
#: Environments that LaTeX numbers by itself; the book's numbers come from labels.
NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|gather|alignat|multline)\}")


def mathml(latex: str, *, display: bool) -> str:
    r"""Return a formula as MathML.

    Parameters
    ----------
    latex : str
        Lines that ``\\`` ends need no environment, as in Sphinx.
    display : bool
        Whether it stands on a line of its own.

    Returns
    -------
    str

    Raises
    ------
    LatexError
        If it can't be converted.
    """
    latex = NUMBERED.sub(r"\\\1{\2*}", latex.strip())
    if r"\\" in latex and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    text = CONVERTER.convert_with_local_state(latex, displaystyle=display)
    return ARROW.sub('<mo stretchy="true" rspace="0"', text)


def _written(node: nodes.Element, *, display: bool) -> str:
    """Return a formula of the book, or its LaTeX and a warning."""
    try:
        return mathml(node.astext(), display=display)
    except LatexError as error:
        logger.warning("no MathML for %r: %s", node.astext(), error, location=node)
        return escape(node.astext())


def keep_together(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the marks that touch a formula of the text into one piece with it."""
    for node in list(doctree.findall(nodes.math)):
        parent = node.parent
        place = parent.index(node)
        previous = parent[place - 1] if place else None
        following = parent[place + 1] if place + 1 < len(parent) else None
        if isinstance(following, nodes.Text) and (found := BEHIND.match(following)):
            node["behind"] = found[0]
            parent.replace(following, nodes.Text(following[found.end() :]))
        if isinstance(previous, nodes.Text) and (found := BEFORE.search(previous)):
            node["before"] = found[0]
            parent.replace(previous, nodes.Text(previous[: found.start()]))


def write_inline(self: Any, node: nodes.math) -> None:
    """Write a formula of the text, with the marks that touch it."""
    before, behind = node.get("before", ""), node.get("behind", "")
    formula = self.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    formula += f"{_written(node, display=False)}</span>"
    if before or behind:
        formula = f'<span class="together">{escape(before)}{formula}{escape(behind)}</span>'
    self.body.append(formula)
    raise nodes.SkipNode


def write_displayed(self: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, and its number."""
    self.body.append(self.starttag(node, "div", "", CLASS="math notranslate nohighlight"))
    self.body.append(f'<div class="formula">{_written(node, display=True)}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the way of writing formulas."""
    app.add_html_math_renderer("mathml", (write_inline, None), (write_displayed, None))
    # After the lists of exercises and of claims have been filled.
    app.connect("doctree-resolved", keep_together, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
