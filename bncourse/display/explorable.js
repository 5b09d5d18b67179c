(() => {
  document.querySelectorAll("figure.explorable:not([data-ready])").forEach((figure) => {
    const data = figure.querySelector('script[type="application/json"]');
    if (!data) return;
    figure.dataset.ready = "";
    const { texts, pictures, frames, start } = JSON.parse(data.textContent);
    const picture = figure.querySelector("img");
    const caption = figure.querySelector("figcaption");
    pictures[frames[start].picture] = picture.src;
    let shown = start;
    const box = figure.querySelector(".explorable-controls");
    // Radio buttons need a name that no other explorable on the page has.
    const number = document.querySelectorAll("figure.explorable[data-ready]").length;
    const places = [...box.children].map((control, k) => {
      const inputs = [...control.querySelectorAll("input")];
      inputs.forEach((input) => { if (input.type === "radio") input.name = `explorable-${number}-${k}`; });
      const output = control.querySelector("output");
      return () => {
        if (inputs[0].type === "checkbox") return Number(inputs[0].checked);
        if (inputs[0].type === "radio") return Number(inputs.find((input) => input.checked).value);
        const at = Number(inputs[0].value);
        output.textContent = texts[k][at];
        inputs[0].setAttribute("aria-valuetext", texts[k][at]);
        return at;
      };
    });
    // Powers of ten are raised, since their digits would come from two faces; indices are lowered.
    const set = (words) => words.split(/(?<=10)([⁻⁰¹²³⁴-⁹]+)|(?<=[zβ])_(norm|eff)/).flatMap((part, k) => {
      if (k % 3 === 0 || !part) return part ?? [];
      const small = document.createElement(k % 3 === 1 ? "sup" : "sub");
      small.textContent = part.normalize("NFKC");
      return small;
    });
    const show = () => {
      const at = places.reduce((sum, place, k) => sum * texts[k].length + place(), 0);
      if (at === shown) return;
      shown = at;
      picture.src = pictures[frames[at].picture];
      picture.alt = frames[at].words;
      caption.replaceChildren(...set(frames[at].words));
    };
    box.addEventListener("input", show);
    // JupyterLab moves between cells on arrow keys; here they move the control.
    box.addEventListener("keydown", (event) => event.stopPropagation());
    box.hidden = false;
    caption.replaceChildren(...set(caption.textContent));
    show();
  });
})();
