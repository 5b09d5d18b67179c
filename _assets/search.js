// Excerpts that can be read: a sentence of the text, from its beginning, rather than 240 signs out of the
// middle of words, of code or of the page's frame; and a link to the section in which it stands.
{
  const LONGEST = 260, SHORTEST = 40;
  const UNREAD = "annotation, .headerlink, script, style, button, nav, summary, .reading-time, .claims-here, .figure-number, .bd-header-article, .prev-next-footer, .task-name";
  const BLOCKS = "p, li, dd, dt, td, figcaption, pre, h1, h2, h3, h4";
  const PROSE = "p, li, dd, figcaption";

  const query = (new URLSearchParams(location.search).get("q") ?? "").toLowerCase().trim();
  const typed = splitQuery(query);
  const words = (element) => element.textContent.replace(/\s+/g, " ").trim();
  // Where a word begins with this one; -1 if none does.
  const place = (lower, word) => {
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1))
      if (!/[\p{Letter}\p{Number}_]/u.test(lower[at - 1] ?? " ")) return at;
    return -1;
  };

  // The words as they were typed count more than their stems, prose more than code and formulas.
  const worth = (block, text, stems) => {
    const lower = text.toLowerCase();
    let sum = typed.length > 1 && lower.includes(query) ? 4 : 0;
    for (const word of typed) sum += place(lower, word) >= 0 ? 4 : 0;
    for (const stem of stems) sum += place(lower, stem) >= 0 ? 2 : lower.includes(stem) ? 1 : 0;
    if (!sum) return 0;
    if (!block.matches(PROSE)) sum -= 1.5;
    if (text.length < SHORTEST) sum -= 1;
    return sum - (block.querySelector("msub, msup, msubsup, mfrac, mover, munder") ? 2 : 0);
  };

  const best = (root, stems) => {
    let found = null, most = 0;
    for (const block of root.querySelectorAll(BLOCKS)) {
      if (block.querySelector("p, pre, ul, ol, dl, table")) continue;
      const text = words(block);
      const value = worth(block, text, stems);
      if (value > most) [found, most] = [{ block, text }, value];
    }
    return found;
  };

  // From the beginning of the sentence, or else of a word, to the end of a word.
  const cut = (text, stems) => {
    if (text.length <= LONGEST) return text;
    const lower = text.toLowerCase();
    const places = [...typed, ...stems].map((word) => place(lower, word)).filter((at) => at >= 0);
    const at = places.length ? Math.min(...places) : 0;
    let begin = text.slice(0, at).search(/[.?!] (?:[^.?!]|[.?!](?! ))*$/) + 2;
    if (begin === 1) begin = 0;
    if (at - begin > LONGEST / 2) begin = text.indexOf(" ", at - LONGEST / 2) + 1;
    const rest = text.slice(begin);
    const end = rest.length > LONGEST ? rest.lastIndexOf(" ", LONGEST) : rest.length;
    return (begin ? "… " : "") + rest.slice(0, end) + (end < rest.length ? " …" : "");
  };

  // Of code, the line.
  const line = (pre, stems) => {
    const code = document.createElement("code");
    const lines = pre.textContent.split("\n").map((text) => text.trim()).filter((text) => text);
    code.textContent =
      lines.find((text) => stems.some((stem) => text.toLowerCase().includes(stem))) ?? lines[0];
    return code;
  };

  // Where it stands: below a term, below a name of the reference, or in a section.
  const address = (block) => {
    const above = block.closest("dl.glossary > dd, dl.py > dd")?.previousElementSibling;
    if (above?.id) return [above.id, above.matches(".sig") ? above.id : words(above)];
    const section = block.closest("section[id]");
    const heading = section?.parentElement.closest("section") && section.querySelector("h2, h3, h4");
    return heading ? [section.id, words(heading)] : [];
  };

  // What a line of text can show of a formula.
  const SIGNS = { msub: "_", msup: "^", msubsup: "_^", munder: "_", munderover: "_^", mfrac: "/" };

  // Sphinx marks the stem of a word; the mark goes on to the word's end.
  const widen = (mark) => {
    const rest = mark.nextSibling;
    const end = rest?.nodeType === Node.TEXT_NODE ? rest.data.match(/^[\p{Letter}\p{Number}_]+/u) : null;
    if (!end) return;
    mark.append(end[0]);
    rest.deleteData(0, end[0].length);
  };

  Search.makeSearchSummary = (html, terms, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    page.querySelectorAll(UNREAD).forEach((element) => element.remove());
    page.querySelectorAll(Object.keys(SIGNS).join()).forEach((part) =>
      [...SIGNS[part.localName]].forEach((sign, k) => part.children[k + 1]?.before(sign)));
    const main = page.querySelector(".bd-article") ?? page.body;
    const target = anchor ? main.querySelector(`[id="${CSS.escape(anchor.slice(1))}"]`) : null;
    const stems = [...terms].map((word) => word.toLowerCase());
    // A term that has the word in its name is shown with what it means.
    const meaning = target?.matches("dt") ? target.nextElementSibling?.querySelector("p") : null;
    const found = meaning
      ? { block: meaning, text: words(meaning) }
      : (target && best(target, stems)) ?? best(main, stems);
    const summary = document.createElement("p");
    summary.className = "context";
    if (!found) {
      summary.textContent = cut(words(main.querySelector("section > p") ?? main), []);
      return summary;
    }
    summary.append(found.block.matches("pre") ? line(found.block, stems) : cut(found.text, stems));
    const [id, name] = address(found.block);
    // It stands in the list by then, below the link to its page, with its words marked.
    queueMicrotask(() => {
      summary.querySelectorAll(".highlighted").forEach(widen);
      // Pages where the words stand side by side come before those that have them apart.
      const item = summary.parentElement;
      if (typed.length > 1 && found.text.toLowerCase().includes(query)) {
        item.classList.add("side-by-side");
        item.parentElement.querySelector(":scope > li:not(.side-by-side)")?.before(item);
      }
      if (!id || (anchor && !meaning)) return;
      const link = document.createElement("a");
      const page = summary.parentElement.querySelector("a").getAttribute("href").split("#")[0];
      link.href = `${page}#${id}`;
      link.textContent = name;
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
    element("summary", "Why are there no excerpts?"),
    element("p", "You have opened the book from a file. The search finds the pages, but can’t show the lines "
      + "in which your words stand: a browser lets no page opened from a file read another file. "
      + "To see them, run this and leave it running:"),
    element("pre", `python -m http.server 8000 --directory "${folder}"`),
    element("p", "Then open ", link, "."),
  );
  note.id = "search-from-file";
  document.getElementById("search-results").before(note);
  document.documentElement.classList.add("search-without-excerpts");
})();
