// What is wider than the page scrolls in its own box; the box must be reachable by keyboard.
(() => {
  const selector = ".formula, div.highlight pre, .pst-scrollable-table-container";
  const mark = () => {
    // First all sizes, then all changes: a change between two readings costs a layout each.
    const boxes = [...document.querySelectorAll(selector)];
    const wide = boxes.map((box) => box.scrollWidth > box.clientWidth);
    boxes.forEach((box, k) => {
      if (wide[k]) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    });
  };

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
