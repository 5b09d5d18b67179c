// Filters and sorts the table of claims. Without JavaScript the whole table stays readable.
(() => {
  const table = document.querySelector("table.ledger-claims");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const classOf = (row, prefix) =>
    [...row.classList].find((name) => name.startsWith(prefix)).slice(prefix.length);
  const place = new Map(rows.map((row, index) => [row, index]));
  const verdicts = ["wrong", "contested", "needs-qualification", "slip", "correct"];

  const controls = document.createElement("div");
  controls.className = "ledger-controls";
  const select = (name, options) => {
    const label = document.createElement("label");
    const input = document.createElement("select");
    for (const [value, text] of options) input.add(new Option(text, value));
    label.append(`${name} `, input);
    controls.append(label);
    input.addEventListener("change", show);
    return input;
  };
  const chapters = [...new Set(rows.map((row) => classOf(row, "chapter-")))].sort();
  const chapter = select("Chapter", [["", "all"], ...chapters.map((c) => [c, c])]);
  const verdict = select("Verdict", [["", "all"], ...verdicts.map((v) => [v, v.replace("-", " ")])]);
  const order = select("Order", [["claim", "by claim"], ["chapter", "by chapter"], ["verdict", "by verdict"]]);
  const count = document.createElement("output");
  controls.append(count);

  function show() {
    const keys = {
      claim: () => 0,
      chapter: (row) => Number(classOf(row, "chapter-")),
      verdict: (row) => verdicts.indexOf(classOf(row, "verdict-")),
    };
    const key = keys[order.value];
    body.append(...[...rows].sort((a, b) => key(a) - key(b) || place.get(a) - place.get(b)));
    let shown = 0;
    for (const row of rows) {
      row.hidden = (chapter.value && classOf(row, "chapter-") !== chapter.value)
        || (verdict.value && classOf(row, "verdict-") !== verdict.value);
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} claims`;
  }

  const holder = table.closest(".pst-scrollable-table-container") || table;
  holder.before(controls);
  show();
})();
