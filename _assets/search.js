// Excerpts without the source of the formulas, which each page holds for those who copy them.
{
  const words = Search.htmlToText;
  Search.htmlToText = (html, anchor) =>
    words(html.replace(/<annotation\b.*?<\/annotation>/gs, ""), anchor);
}

// On a page that was opened from a file, the search works but for its excerpts: browsers let no
// such page read another file. Say so, and don't try.
(() => {
  if (location.protocol !== "file:") return;
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  const here = decodeURIComponent(location.pathname);
  const folder = here.slice(0, here.lastIndexOf("/")).replace(/^\/(?=[A-Za-z]:)/, "");
  const address = `http://localhost:8000/search.html${location.search}`;
  const element = (name, text, ...children) => {
    const made = document.createElement(name);
    made.append(text, ...children);
    return made;
  };
  const link = element("a", address);
  link.href = address;

  const note = element("div", "");
  note.className = "admonition note";
  note.id = "search-from-file";
  const title = element("p", "You are reading from a file");
  title.className = "admonition-title";
  note.append(
    title,
    element("p", "The search finds the pages. It can't show the lines in which your words stand: "
      + "a browser lets no page opened from a file read another file. To see them, run this and "
      + "leave it running,"),
    element("pre", `python -m http.server 8000 --directory "${folder}"`),
    element("p", "then open ", link, "."),
  );
  document.getElementById("search-results").before(note);
})();
