"""Write ``404.html``, the page that a server shows for an address that it does not have.

A server shows it at any depth (``/book/x/y``), under a site's root that may itself be a folder, so
neither relative nor absolute links are right as they stand. With ``html.baseurl`` the root is
known. Without it a few lines of script try the folders of the address from the deepest up, until
one holds this book, and mend the links. The page carries its style itself, for the same reason.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

from sphinx.application import Sphinx

PAGE = Template("""\
<!DOCTYPE html>
<html lang="$language">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="robots" content="noindex" />
<meta name="description" content="This address leads to no page of “$site”." />
<title>Page not found — $site</title>
<link rel="icon" href="data:image/svg+xml,$icon" />
<style>
:root { color-scheme: light dark; --text: #23272f; --ground: #fff; --link: #005b8f; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e6ea; --ground: #14181e; --link: #7cc4f0; }
}
body {
  margin: 0 auto; max-width: 38rem; padding: 12vh 1.25rem 3rem;
  font: 1.05rem/1.65 system-ui, sans-serif; color: var(--text); background: var(--ground);
}
h1 { font-size: 1.9rem; line-height: 1.25; margin: 1.5rem 0 1rem; }
a { color: var(--link); text-underline-offset: 0.15em; }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
li { margin: 0.35rem 0; }
svg { width: 5.5rem; height: auto; }
</style>
</head>
<body>
<main>
$logo
<h1>There is no page at this address</h1>
<p>It may have moved, or the address has a slip in it. These pages are here:</p>
<ul>
$links
</ul>
<p id="help">If a link does not work, shorten the address in your browser, one part at a time.</p>
</main>
<script>
(async () => {
  const known = $root;
  const links = [...document.querySelectorAll("a[data-page]")];
  const mend = (root) => {
    for (const link of links) link.href = root + link.dataset.page;
    document.getElementById("help").hidden = true;
  };
  if (known) return mend(known);
  if (location.protocol === "file:") return;
  const folders = location.pathname.split("/").slice(0, -1);
  for (let depth = folders.length; depth > 0; depth--) {
    const root = folders.slice(0, depth).join("/") + "/";
    const answer = await fetch(root + "$probe", { method: "HEAD" }).catch(() => null);
    if (answer && answer.ok) return mend(root);
  }
})();
</script>
</body>
</html>
""")
#: A file that every build of this book has in its root.
PROBE = "searchindex.js"


def write_page(app: Sphinx, exception: Exception | None) -> None:
    """Write the page into the root of the output."""
    if exception is not None or app.builder.name != "html":
        return
    root = urlsplit(app.config.html_baseurl).path.rstrip("/") + "/"
    if not app.config.html_baseurl:
        root = ""
    links = []
    for docname in [app.config.root_doc, *app.env.toctree_includes.get(app.config.root_doc, [])]:
        page = app.builder.get_target_uri(docname)
        title = html.escape(app.env.titles[docname].astext())
        links.append(f'<li><a href="{root}{page}" data-page="{page}">{title}</a></li>')
    assets = Path(app.confdir) / "_assets"
    icon = (assets / "favicon.svg").read_text(encoding="utf-8").strip()
    logo = (assets / "logo.svg").read_text(encoding="utf-8").strip()
    text = PAGE.substitute(
        language=app.config.language,
        site=html.escape(app.config.html_title or app.config.project),
        icon=re.sub(r"[#<>\"%]", lambda m: f"%{ord(m[0]):02X}", icon),
        logo=logo,
        links="\n".join(links),
        root=json.dumps(root),
        probe=PROBE,
    )
    Path(app.outdir, "404.html").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("build-finished", write_page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
