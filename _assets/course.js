// What is wider than the page scrolls in its own box; the box must be reachable by keyboard.
(() => {
  const selector = "div.math, div.highlight pre, .pst-scrollable-table-container";
  const mark = () => {
    // First all sizes, then all changes: a change between two readings costs a layout each.
    const boxes = [...document.querySelectorAll(selector)];
    const wide = boxes.map((box) => box.scrollWidth > box.clientWidth);
    boxes.forEach((box, k) => {
      if (wide[k]) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    });
  };

  // Formulas are typeset a few at a time, from the top, so that the page answers in between.
  const typeset = async () => {
    const formulas = [...document.querySelectorAll(".math")];
    for (let k = 0; k < formulas.length; k += 4) {
      await window.MathJax.typesetPromise(formulas.slice(k, k + 4));
      await new Promise((resolve) => setTimeout(resolve));
    }
    mark();
  };
  // MathJax is the largest file of a page. It is fetched when the text has been painted.
  const place = document.querySelector("script[data-mathjax]");
  if (place) {
    let done;
    // All of its style at once: a style that grows with each formula costs a layout of the page.
    window.MathJax.chtml = { adaptiveCSS: false };
    window.MathJax.startup = {
      // What waits for MathJax's own promise may come before MathJax does.
      promise: new Promise((resolve) => { done = resolve; }),
      typeset: false,
      pageReady: () => window.MathJax.startup.defaultPageReady().then(typeset).then(done),
    };
    const fetchMathJax = () => {
      const script = document.createElement("script");
      script.src = place.dataset.mathjax;
      document.head.append(script);
    };
    const painted = new Promise((resolve) => {
      new PerformanceObserver((list) => {
        if (list.getEntriesByName("first-contentful-paint").length) setTimeout(resolve);
      }).observe({ type: "paint", buffered: true });
    });
    // A page in the background is not painted; its formulas need not wait for that.
    const enough = new Promise((resolve) => setTimeout(resolve, 1500));
    Promise.race([painted, enough]).then(fetchMathJax);
  }
  window.addEventListener("load", () => setTimeout(mark));
  window.addEventListener("resize", mark);
  // What is folded has no width until it is opened.
  document.addEventListener("toggle", mark, true);
})();

// On a narrow page the menu and the contents are boxes that lie over it. A link into the page
// closes its box, and whoever opened one with the keyboard comes back to its button.
(() => {
  for (const kind of ["primary", "secondary"]) {
    const box = document.getElementById(`pst-${kind}-sidebar-modal`);
    const button = document.querySelector(`.${kind}-toggle`);
    if (!box || !button) continue;
    let comeBack = false;
    button.addEventListener("click", (event) => { comeBack = event.detail === 0; });
    box.addEventListener("click", (event) => {
      if (!event.target.closest('a[href^="#"]')) return;
      comeBack = false;
      box.close();
    });
    box.addEventListener("close", () => { if (comeBack) button.focus(); });
  }
})();
