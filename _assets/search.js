// Excerpts that can be read: a sentence of the text, from its beginning, rather than 240 signs out of the
// middle of words, of code or of the page's frame; and a link to the section in which it stands.
{
  const LONGEST = 260;
  const UNREAD = "annotation, .headerlink, script, style, button, nav, .copybtn, .bd-header-article, .prev-next-footer";
  const BLOCKS = ["p, li, dd, td, figcaption", "pre, dt, h1, h2, h3, h4"];

  const words = (element) => element.textContent.replace(/\s+/g, " ").trim();

  // The first block with the most of the words, prose before code.
  const best = (root, keywords) => {
    let found = null, most = 0;
    for (const kind of BLOCKS) {
      for (const block of root.querySelectorAll(kind)) {
        if (block.querySelector("p, pre, ul, ol, dl, table")) continue;
        const text = words(block), lower = text.toLowerCase();
        const count = keywords.filter((word) => lower.includes(word)).length;
        if (count > most) [found, most] = [{ block, text }, count];
      }
      if (most === keywords.length) break;
    }
    return found;
  };

  // From the beginning of the sentence, or else of a word, to the end of a word.
  const cut = (text, keywords) => {
    if (text.length <= LONGEST) return text;
    const lower = text.toLowerCase();
    const at = Math.min(...keywords.map((word) => lower.indexOf(word)).filter((i) => i >= 0));
    let begin = Math.max(text.slice(0, at).search(/[.?!] [^.?!]*$/) + 2, 0);
    if (begin === 1) begin = 0;
    if (at - begin > LONGEST / 2) begin = text.indexOf(" ", at - LONGEST / 2) + 1;
    const rest = text.slice(begin);
    const end = rest.length > LONGEST ? rest.lastIndexOf(" ", LONGEST) : rest.length;
    return (begin ? "… " : "") + rest.slice(0, end) + (end < rest.length ? " …" : "");
  };

  Search.makeSearchSummary = (html, terms, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    page.querySelectorAll(UNREAD).forEach((element) => element.remove());
    const main = page.querySelector(".bd-article") ?? page.body;
    const target = anchor ? main.querySelector(`[id="${CSS.escape(anchor.slice(1))}"]`) : null;
    const keywords = [...terms].map((word) => word.toLowerCase());
    const within = target && (target.matches("dt") ? target.parentElement : target);
    const found = (within && best(within, keywords)) || best(main, keywords);
    const summary = document.createElement("p");
    summary.className = "context";
    if (!found) {
      summary.textContent = cut(words(main.querySelector("section > p") ?? main), [""]);
      return summary;
    }
    summary.textContent = cut(found.text, keywords);
    const section = found.block.closest("section[id]");
    const heading = section?.parentElement.closest("section") && section.querySelector("h2, h3, h4");
    if (heading && !anchor)
      // It stands in the list by then, below the link to its page.
      queueMicrotask(() => {
        const link = document.createElement("a");
        link.href = summary.parentElement.querySelector("a").getAttribute("href").split("#")[0] + `#${section.id}`;
        link.textContent = words(heading);
        link.className = "context-section";
        summary.before(link);
      });
    return summary;
  };

  Object.assign(Documentation.TRANSLATIONS, {
    "Search finished, found ${resultCount} page(s) matching the search query.": "Search finished. Results: ${resultCount}",
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.":
      "Search finished. No page has all of these words: try one of them, or another form of it.",
  });
}

// On a page that was opened from a file, the search works but for its excerpts: browsers let no
// such page read another file. Say so, and don't try.
(() => {
  if (location.protocol !== "file:") return;
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

  const here = decodeURIComponent(location.pathname);
  const folder = here.slice(0, here.lastIndexOf("/")).replace(/^\/(?=[A-Za-z]:)/, "");
  const element = (name, ...children) => {
    const made = document.createElement(name);
    made.append(...children);
    return made;
  };
  const link = element("a", "this search at localhost:8000");
  link.href = `http://localhost:8000/search.html${location.search}`;

  const note = element(
    "details",
    element("summary", "Opened from a file, the search shows no excerpts"),
    element("p", "It finds the pages, but can't show the lines in which your words stand: a browser lets no "
      + "page opened from a file read another file. To see them, run this and leave it running:"),
    element("pre", `python -m http.server 8000 --directory "${folder}"`),
    element("p", "Then open ", link, "."),
  );
  note.id = "search-from-file";
  document.getElementById("search-results").before(note);
  document.documentElement.classList.add("search-without-excerpts");
})();
