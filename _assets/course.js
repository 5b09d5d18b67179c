// The sections below the first screen were left for later (page.css). Now they are laid out one by one,
// and all at once for whoever follows a link into the page or jumps to its end, so that it leads to the
// right place and nothing moves there.
// What is wider than the page scrolls in its own box; the box must be reachable by keyboard.
(() => {
  const selector = ".formula, div.highlight pre, .pst-scrollable-table-container, .results";
  const nameOf = (box) => box.matches(".formula") ? "Formula" : box.matches("pre") ? "Code" : "Table";
  const mark = () => {
    // First all sizes, then all changes: a change between two readings costs a layout each. And none in
    // what is folded, which would be laid out for it, and is asked when it is opened.
    const boxes = [...document.querySelectorAll(selector)];
    const wide = boxes.map(
      (box) => !box.closest("details:not([open])") && box.scrollWidth > box.clientWidth);
    boxes.forEach((box, k) => {
      if (wide[k]) {
        box.tabIndex = 0;
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", `${nameOf(box)} ${k + 1}, wider than the page`);
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
    });
  };

  const later = [...document.querySelectorAll(".bd-article > section > section")];
  const layOut = (section) => { section.style.contentVisibility = "visible"; };
  const idle = window.requestIdleCallback ?? setTimeout;
  const next = () => {
    if (!later.length) {
      mark();
      // Now the faces are asked for; that of mathematics is wider than what stood in for it.
      document.fonts.ready.then(() => {
        mark();
        document.documentElement.classList.remove("from-the-top");
      });
      return;
    }
    layOut(later.shift());
    idle(next);
  };
  window.addEventListener("load", () => idle(next));
  const all = () => later.splice(0).forEach(layOut);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.('a[href^="#"]')) all();
  }, true);
  document.addEventListener("keydown", ({ key }) => { if (key === "End") all(); }, true);
  let at = 0;
  const jumped = () => {
    if (Math.abs(scrollY - at) > innerHeight) all();
    at = scrollY;
  };
  document.addEventListener("scroll", jumped, { passive: true });
  jumped();
  window.addEventListener("resize", mark);
  // What is folded has no width until it is opened.
  document.addEventListener("toggle", mark, true);
})();

// The frames of an explorable are fetched when a reader comes near it, or takes hold of a control, so
// that each is there when it is to be shown.
(() => {
  const held = [];
  const fetchFrames = (figure) => {
    if (figure.dataset.fetched !== undefined) return;
    figure.dataset.fetched = "";
    const { pictures } = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    for (const address of pictures.filter(Boolean)) {
      const picture = new Image();
      picture.src = address;
      held.push(picture);
    }
  };
  const figures = document.querySelectorAll("figure.explorable");
  for (const figure of figures) {
    for (const kind of ["focusin", "pointerenter"]) {
      figure.addEventListener(kind, () => fetchFrames(figure));
    }
  }
  if (navigator.connection?.saveData) return;
  const near = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      fetchFrames(target);
    }
  }, { rootMargin: "400px" });
  // Not before what is on the first screen.
  window.addEventListener("load", () => figures.forEach((figure) => near.observe(figure)));
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

// The setting of an explorable is in the page's address, so that it can be kept and linked:
// #fig-ruler=3&0.5, the values in the order of the controls.
(() => {
  const explorables = new Map();
  for (const figure of document.querySelectorAll("figure.explorable")) {
    const line = figure.closest(".cell_output")?.querySelector(".figure-number");
    if (line) explorables.set(line.id, figure);
  }
  const partsOf = (figure) => {
    const { texts } = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    const controls = [...figure.querySelector(".explorable-controls").children];
    return controls.map((control, k) => ({ texts: texts[k], inputs: [...control.querySelectorAll("input")] }));
  };
  const placeOf = ({ inputs }) => {
    if (inputs[0].type === "checkbox") return Number(inputs[0].checked);
    return Number((inputs.find((input) => input.checked) ?? inputs[0]).value);
  };
  for (const [id, figure] of explorables) {
    // When a slider is let go: browsers refuse to write the address a hundred times in a row.
    figure.addEventListener("change", () => {
      const state = partsOf(figure).map((part) => encodeURIComponent(part.texts[placeOf(part)]));
      history.replaceState(null, "", `#${id}=${state.join("&")}`);
    });
  }
  const read = () => {
    const [, id, state] = location.hash.match(/^#(fig-[^=]+)=(.*)$/) ?? [];
    const figure = explorables.get(id);
    if (!figure) return;
    let values;
    try { values = state.split("&").map(decodeURIComponent); } catch { return; }
    partsOf(figure).forEach(({ texts, inputs }, k) => {
      const place = texts.indexOf(values[k]);
      if (place < 0) return;
      if (inputs[0].type === "checkbox") inputs[0].checked = Boolean(place);
      else if (inputs[0].type === "radio") inputs[place].checked = true;
      else inputs[0].value = place;
    });
    figure.querySelector(".explorable-controls").dispatchEvent(new Event("input", { bubbles: true }));
    figure.scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", read);
  read();
})();

// Escape puts away what a claim's sign says, until it is pointed at anew.
(() => {
  const back = ({ currentTarget }) => currentTarget.classList.remove("dismissed");
  for (const sign of document.querySelectorAll(".claim")) {
    for (const kind of ["mouseleave", "focusout"]) sign.addEventListener(kind, back);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const sign of document.querySelectorAll(".claim:is(:hover, :focus-within)")) sign.classList.add("dismissed");
  });
})();

// Where one is within the page: in the bar above it, and among its contents in the sidebar.
(() => {
  const place = document.querySelector(".where-section");
  const sections = [...document.querySelectorAll(".bd-article > section > section")];
  if (!place || !sections.length) return;
  const linkTo = (section) => document.querySelector(`.page-contents a[href="#${CSS.escape(section.id)}"]`);
  const heading = (section) => {
    const words = section.querySelector("h2").cloneNode(true);
    words.querySelector(".headerlink")?.remove();
    return words.textContent;
  };
  let shown;
  const look = () => {
    const now = sections.findLast((section) => section.getBoundingClientRect().top < 120);
    if (now === shown) return;
    if (shown) linkTo(shown)?.removeAttribute("aria-current");
    if (now) linkTo(now)?.setAttribute("aria-current", "location");
    place.textContent = now ? heading(now) : "";
    shown = now;
  };
  let asked = false;
  document.addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; look(); });
  }, { passive: true });
  look();
})();
