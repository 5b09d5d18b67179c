"""Ways of reading: by keyboard, by ear, in forced colours, enlarged, without a script or a jolt.

What axe can judge it judges on every page (test_pages.py). Here is what it can't, on a few pages
that have everything between them.
"""

from __future__ import annotations

import io

import pytest
from PIL import Image

from ..loading import load
from .visits import HTML, Visit

CHAPTER, FRONT, LEDGER = "book/05-intuition", "book/index", "book/corrections"
#: The page whose explorable has controls of all three kinds.
CONTROLS = "book/06-test-time"
CORES = [chapter.page for chapter in load("pages").CHAPTERS]
SEEN = ".filter((e) => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length)"


OPEN = "document.querySelectorAll('article details').forEach((e) => { e.open = true; })"


def pages(*names):
    return pytest.mark.parametrize("page", names)


def visit_to(browser, server, page, **options):
    return Visit(browser, f"{server}/{page}.html", **options)


# By keyboard.

#: Where the focus is: whether it can be seen there, and its place in the document.
FOCUS = """() => {
  const e = document.activeElement;
  if (e === document.body) return null;
  window.order ??= [...document.querySelectorAll("*")];
  // Of a link that breaks into two lines, the first.
  const { left, top, width, height } = e.getClientRects()[0];
  const { outlineStyle, outlineWidth, opacity } = getComputedStyle(e);
  const middle = [left + Math.min(width / 2, 20), top + Math.min(height / 2, 12)];
  const hit = document.elementFromPoint(...middle);
  const faults = [];
  if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) faults.push("no outline");
  if (width < 4 || height < 4) faults.push("no size");
  if (opacity < 0.9) faults.push("transparent");
  if (top < 0 || left < 0 || left + 4 > innerWidth || top + Math.min(height, 12) > innerHeight)
    faults.push(`out of sight at ${top}`);
  else if (!hit || !(e.contains(hit) || hit.contains(e)))
    faults.push(`covered by ${hit?.outerHTML.slice(0, 60)}`);
  return { at: window.order.indexOf(e), what: e.outerHTML.slice(0, 120), faults };
}"""
#: All that should be reached; of a group of radio buttons the one that is chosen.
REACHABLE = f"""() => [...document.querySelectorAll(
    "a[href], button, input, select, summary, [tabindex='0']")]{SEEN}
  .filter((e) => !e.disabled && e.tabIndex >= 0 && (e.type !== "radio" || e.checked)).length"""


@pytest.mark.parametrize(("page", "width", "height"), [(CHAPTER, 1200, 900), (FRONT, 640, 450)])
def test_the_tab_key_leads_through_the_whole_page(browser, server, page, width, height):
    with visit_to(
        browser, server, page, width=width, height=height, reduced_motion="reduce"
    ) as visit:
        visit.page.evaluate(
            "document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })"
        )
        visit.page.wait_for_function("[...document.images].every(i => i.complete)")
        expected = visit.page.evaluate(REACHABLE)
        places, faults = [], []
        for _ in range(expected + 10):
            visit.page.keyboard.press("Tab")
            found = visit.page.evaluate(FOCUS)
            if found is None:
                break
            places.append(found["at"])
            if found["faults"]:
                faults.append((found["faults"], found["what"]))
        assert faults == []
        assert places == sorted(places)
        assert len(places) == len(set(places)) == expected


def test_the_first_link_skips_to_the_text(browser, server):
    with visit_to(browser, server, CHAPTER, reduced_motion="reduce") as visit:
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.textContent") == "Skip to main content"
        visit.page.keyboard.press("Enter")
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate("document.activeElement.closest('main') !== null")


def test_arrow_keys_and_space_move_every_control_and_the_words_follow(browser, server):
    with visit_to(browser, server, CONTROLS) as visit:
        figure = visit.page.locator("figure.explorable").first
        keys = {"range": "ArrowRight", "radio": "ArrowDown", "checkbox": "Space"}
        seen = set()
        for control in figure.locator(".explorable-controls input").all():
            kind = control.get_attribute("type")
            if kind == "radio" and not control.is_checked():
                continue
            at_the_end = control.get_attribute("max") == control.input_value()
            seen.add(kind)
            state = "(e) => e.type === 'range' ? e.value : e.checked"
            before = control.evaluate(state), figure.locator("figcaption").inner_text()
            control.focus()
            visit.page.keyboard.press("ArrowLeft" if at_the_end else keys[kind])
            assert control.evaluate(state) != before[0]
            assert figure.locator("figcaption").inner_text() != before[1]
        assert seen == set(keys)


def test_enter_opens_and_closes_all_that_is_folded(browser, server):
    with visit_to(browser, server, CHAPTER) as visit:
        for kind in (".predict .folded", ".exercise .folded", ".card-of-run", ".cell .hide"):
            summary = visit.page.locator(f"article {kind} > summary:visible").first
            for state in (True, False):
                summary.press("Enter")
                assert summary.evaluate("(s) => s.parentElement.open") is state


def test_escape_closes_the_search_and_leads_back(browser, server):
    with visit_to(browser, server, CHAPTER) as visit:
        button = visit.page.locator(".search-button-field")
        button.focus()
        visit.page.keyboard.press("Enter")
        dialog = visit.page.locator("dialog:has(input[type=search])")
        dialog.wait_for(state="visible")
        assert dialog.evaluate("(d) => d.contains(document.activeElement)")
        visit.page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        assert button.evaluate("(b) => b === document.activeElement")


# By ear.

#: Roles of what can be used.
USED = {
    "button", "checkbox", "combobox", "link", "menuitem", "radio", "searchbox", "slider",
    "textbox", "DisclosureTriangle",
}  # fmt: skip


def tree(visit):
    """What Chromium tells a screen reader: role, name and properties of each node in its order."""
    session = visit.context.new_cdp_session(visit.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", "").strip(),
            **{p["name"]: p["value"].get("value") for p in node.get("properties", [])},
        }
        for node in nodes
        if not node["ignored"]
    ]


@pages(CHAPTER, CONTROLS, FRONT, LEDGER, "search")
def test_the_tree_of_a_screen_reader_is_whole(browser, server, page):
    with visit_to(browser, server, page) as visit:
        nodes = tree(visit)

        def names(*roles):
            return [node["name"] for node in nodes if node["role"] in roles]

        assert len(names("main")) == 1
        assert names("navigation")
        assert all(names("navigation"))
        assert len(set(names("navigation"))) == len(names("navigation"))
        levels = [node["level"] for node in nodes if node["role"] == "heading"]
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
        assert all(names("heading", "image", "figure", "region"))
        assert [node for node in nodes if node["role"] in USED and not node["name"]] == []
        # The theme makes boxes focusable that no key reaches: these have no role.
        nameless = [
            node
            for node in nodes
            if node.get("focusable")
            and not node["name"]
            and node["role"] not in ("RootWebArea", "generic")
        ]
        assert nameless == []
        bare = visit.page.evaluate(
            "[...document.querySelectorAll('[tabindex=\"0\"]:not(a, button, input, summary)')]"
            ".filter(e => !e.role || !e.ariaLabel).map(e => e.outerHTML.slice(0, 120))"
        )
        assert bare == []
        formulas = visit.page.evaluate(
            f"[...document.querySelectorAll('article .math math')]{SEEN}.length"
        )
        assert len(names("MathMLMath", "math")) >= formulas
        # What can be used and has no role would be named, but could not be told what it is.
        controls = visit.page.evaluate(
            f"[...document.querySelectorAll('main :is(input, select, button)')]{SEEN}.length"
        )
        assert len(names(*(USED - {"link"}))) >= controls
        # What an explorable shows is said when it changes, and its sliders say their values.
        said = visit.page.locator("figure.explorable figcaption").count()
        assert len([node for node in nodes if node.get("live") == "polite"]) >= said
        values = visit.page.evaluate(
            "[...document.querySelectorAll('input[type=range]')].map(e => e.ariaValueText)"
        )
        assert all(values)


def test_what_only_decorates_is_not_said(browser, server):
    with visit_to(browser, server, CHAPTER) as visit:
        images = [node["name"] for node in tree(visit) if node["role"] == "image"]
        # The drawing in a button says what the button says.
        images = [name for name in images if name != "Copy to clipboard"]
        article = visit.page.locator("article img:visible").count()
        assert visit.page.locator("img.logo__image").first.is_visible()
        assert len(images) == article


# Without motion.


def test_nothing_moves_for_those_who_ask_for_rest(browser, server):
    with visit_to(browser, server, CHAPTER, width=640, reduced_motion="reduce") as visit:
        running = "document.getAnimations().map((a) => a.transitionProperty ?? a.animationName)"
        moved = []

        def look():
            moved.extend(visit.page.evaluate(running))

        look()
        visit.page.keyboard.press("Tab")
        look()
        for selector in ("article pre:visible", "article summary:visible", "article h2"):
            visit.page.locator(selector).first.hover()
            look()
        visit.page.locator("article button.copybtn:visible").first.focus()
        look()
        visit.page.locator("article summary:visible").first.click()
        look()
        for kind in ("primary", "secondary"):
            visit.page.locator(f".{kind}-toggle:visible").click()
            look()
            visit.page.keyboard.press("Escape")
            look()
        visit.page.keyboard.press("Control+k")
        look()
        visit.page.keyboard.press("Escape")
        slider = visit.page.locator("figure.explorable input[type=range]").first
        slider.focus()
        visit.page.keyboard.press("ArrowLeft")
        look()
        assert moved == []
        smooth = visit.page.evaluate(
            "[...document.querySelectorAll('*')].filter("
            "(e) => getComputedStyle(e).scrollBehavior !== 'auto').map((e) => e.tagName)"
        )
        assert smooth == []


# In colours that the reader's system forces on the page.


def picture(visit, x, y, width, height):
    clip = {"x": x, "y": y, "width": width, "height": height}
    return Image.open(io.BytesIO(visit.page.screenshot(clip=clip))).convert("L")


def ink(visit, locator, width=None, outside=0):
    """The share of an element's pixels, from its left end on, that are not of its ground."""
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    found = picture(
        visit,
        box["x"] - outside,
        box["y"] - outside,
        (width or box["width"]) + 2 * outside,
        box["height"] + 2 * outside,
    )
    shades = found.histogram()
    ground = max(range(256), key=shades.__getitem__)
    total = found.width * found.height
    return sum(n for shade, n in enumerate(shades) if abs(shade - ground) > 60) / total


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_leave_blocks_signs_and_lines(browser, server, scheme):
    options = {"scheme": scheme, "forced_colors": "active", "reduced_motion": "reduce"}
    with visit_to(browser, server, CHAPTER, **options) as visit:
        assert visit.page.evaluate("matchMedia('(forced-colors: active)').matches")
        seen = "(e, side) => getComputedStyle(e)[`border${side}Style`]"
        lines = {
            kind: visit.page.locator(f"article .{kind}").first.evaluate(seen, "Left")
            for kind in ("predict", "do", "exercise")
        }
        assert lines == {"predict": "dashed", "do": "double", "exercise": "solid"}
        explorable = visit.page.locator("figure.explorable").first
        assert visit.page.locator(".explore").first.evaluate(seen, "Top") == "solid"
        # The signs: a pencil, a question mark, a verdict, a flask.
        assert ink(visit, visit.page.locator(".claim > a").first, width=19) > 0.15
        for block in ("predict", "exercise"):
            assert ink(visit, visit.page.locator(f".{block} .task-name").first, width=17) > 0.15
        run = visit.page.locator("details.card-of-run > summary").first
        run.scroll_into_view_if_needed()
        box = run.bounding_box()
        flask = picture(visit, box["x"] + box["width"] - 34, box["y"] + 4, 30, box["height"] - 8)
        low, high = flask.getextrema()
        assert high - low > 100
        # The right choice is told apart by its line and by its words.
        visit.page.evaluate("document.querySelectorAll('.choice').forEach((e) => e.open = true)")
        right = visit.page.locator("article .choice.right").first
        wrong = visit.page.locator("article .choice:not(.right)").first
        assert right.evaluate(seen, "Left") == "solid"
        assert wrong.evaluate(seen, "Left") == "dotted"
        # A slider is there, and so is the focus on it.
        slider = explorable.locator("input[type=range]").first
        bare = ink(visit, slider, outside=8)
        assert bare > 0.02
        slider.focus()
        visit.page.keyboard.press("ArrowLeft")
        assert ink(visit, slider, outside=8) > bare + 0.05
        # The sidebar says which page this is.
        assert visit.page.locator(".bd-links a.current").first.evaluate(seen, "Left") == "solid"


def test_forced_colours_leave_the_verdicts(browser, server):
    with visit_to(browser, server, LEDGER, forced_colors="active") as visit:
        kinds = ("correct", "needs-qualification", "wrong", "contested", "slip")
        signs = visit.page.evaluate(
            """(kinds) => kinds.map((kind) => document.querySelector(`.verdict-${kind}.verdict`))
              .map((e) => [e.textContent.trim(), getComputedStyle(e, "::before").maskImage])""",
            kinds,
        )
        # Another word and another shape for each.
        assert len({words for words, _ in signs}) == len(kinds)
        assert len({shape for _, shape in signs}) == len(kinds)
        for kind in kinds:
            assert ink(visit, visit.page.locator(f".verdict-{kind}.verdict").first, width=13) > 0.1


# Axe leaves code undecided, because its ground is shaded at the ends.

CONTRASTS = """() => {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3)
    .map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  return [...document.querySelectorAll("article pre span")].map((e) => {
    const ground = light(getComputedStyle(e.closest("pre")).backgroundColor);
    const ink = light(getComputedStyle(e).color);
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_code_stands_out_from_its_ground(browser, server, scheme):
    with visit_to(browser, server, CHAPTER, scheme=scheme) as visit:
        visit.page.evaluate(OPEN)
        found = visit.page.evaluate(CONTRASTS)
        assert len(found) > 100
        assert min(found) >= 4.5


# Enlarged: 200 % of 1280 pixels are 640, and 400 % are 320.

#: What lies outside of its box or is cut off by it; not what scrolls or is hidden on purpose.
CUT_OFF = f"""() => [...document.querySelectorAll(`article :is(p, li, summary, figcaption, caption,
    h1, h2, h3, label, legend, output, button, dt, dd, .task-title, .verdict, td, th),
    .bd-header-article button, .bd-footer a, .bd-footer p, .prev-next-footer a,
    .bd-sidebar-primary a, .bd-sidebar-primary button`)]{SEEN}
  .filter((e) => !e.closest(".copybtn, .visually-hidden, .sr-only"))
  .filter((e) => {{
    const {{ width, height }} = e.getBoundingClientRect();
    if (width < 2 || height < 2) return false;
    if (e.scrollWidth > e.clientWidth + 2 && getComputedStyle(e).display !== "inline"
      && !e.querySelector(".formula, pre, table, math")) return true;
    return getComputedStyle(e).overflowY === "hidden" && e.scrollHeight > e.clientHeight + 2;
  }})
  .map((e) => [e.outerHTML.slice(0, 120), e.scrollWidth, e.clientWidth])"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: WCAG 1.4.12.
SPACING = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important;
  word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }"""


COVERED = """() => {
  scrollTo({ top: 2000, behavior: "instant" });
  const stays = (e) => e && (["fixed", "sticky"].includes(getComputedStyle(e).position)
    || stays(e.parentElement));
  let y = 0;
  while (y < innerHeight && stays(document.elementFromPoint(innerWidth / 2, y))) y += 4;
  return y / innerHeight;
}"""


@pages(CHAPTER, FRONT, LEDGER)
def test_enlarged_nothing_is_cut_off_or_covered(browser, server, page):
    with visit_to(browser, server, page, width=640, height=450) as visit:
        for width, height in ((640, 450), (320, 256)):
            visit.page.set_viewport_size({"width": width, "height": height})
            assert visit.page.evaluate(COVERED) < 0.25
            visit.page.evaluate(OPEN)
            assert visit.page.evaluate(SIDEWAYS) == 0
            assert visit.page.evaluate(CUT_OFF) == []


@pages(CHAPTER, FRONT, LEDGER)
def test_wider_spacing_of_letters_and_lines_breaks_nothing(browser, server, page):
    with visit_to(browser, server, page) as visit:
        visit.page.add_style_tag(content=SPACING)
        visit.page.evaluate(OPEN)
        for width in (1200, 390):
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert visit.page.evaluate(SIDEWAYS) == 0
            assert visit.page.evaluate(CUT_OFF) == []


# Without a script.


@pages(CHAPTER, CONTROLS, LEDGER)
def test_without_a_script_all_can_be_read_and_no_button_is_dead(browser, server, page):
    with visit_to(browser, server, page, java_script_enabled=False) as visit:
        for width in (1200, 640):
            visit.page.set_viewport_size({"width": width, "height": 900})
            dead = visit.page.evaluate(
                f"[...document.querySelectorAll('button, input, select, [role=button]')]{SEEN}"
                ".map((e) => e.outerHTML.slice(0, 120))"
            )
            assert dead == []
            if page != LEDGER:
                assert visit.page.locator("a[href$='.ipynb']:visible").count() > 0
            menu = visit.page.locator(".bd-sidebar-primary")
            assert menu.locator("a[href$='01-motivation.html']").is_visible()
        for summary in visit.page.locator("article .folded:visible > summary").all()[:3]:
            summary.press("Enter")
            assert summary.locator("xpath=following-sibling::*").first.is_visible()
        empty = visit.page.evaluate(
            """() => [...document.querySelectorAll(
              "article :is(section, p, table, img, .math, figcaption)")]
              .filter((e) => !e.closest(
                "details:not([open]), [hidden], .admonition-title, .claim-tip"))
              .filter((e) => !e.checkVisibility({visibilityProperty: true, opacityProperty: true})
                || !e.getBoundingClientRect().height)
              .map((e) => e.outerHTML.slice(0, 100))"""
        )
        assert empty == []
        for figure in visit.page.locator("figure.explorable").all():
            words = figure.locator("figcaption").inner_text()
            assert words == figure.locator("img").get_attribute("alt")
            assert figure.locator(".explorable-still").is_visible()


# Without a jolt.

SHIFTS = """new PerformanceObserver((list) => {
  for (const { value, hadRecentInput, sources } of list.getEntries())
    if (!hadRecentInput) (window.shifts ??= []).push(
      [value, sources.map((s) => (s.node?.outerHTML ?? s.node?.textContent ?? "").slice(0, 60))]);
}).observe({ type: "layout-shift", buffered: true })"""


def shifted(tab):
    """How far the page has moved by itself, and what moved most."""
    found = tab.evaluate("window.shifts ?? []")
    return sum(value for value, _ in found), max(found, default=None)


def scroll_through(tab):
    tab.evaluate(
        """async () => {
          const later = (ms) => new Promise((done) => setTimeout(done, ms));
          for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
            scrollTo({ top: y, behavior: "instant" });
            await later(40);
          }
          await later(200);
        }"""
    )


@pytest.mark.parametrize(
    ("page", "way"),
    [
        *[(page, "slowly") for page in CORES],
        *[(page, "End at once") for page in CORES[::2]],
        (CHAPTER, "from the middle"),
        (CHAPTER, "from a file"),
    ],
)
def test_a_chapter_does_not_move_under_the_reader(browser, server, page, way):
    context = browser.new_context(viewport={"width": 412, "height": 823})
    context.add_init_script(SHIFTS)
    tab = context.new_page()
    address = (HTML / f"{page}.html").as_uri() if way == "from a file" else f"{server}/{page}.html"
    tab.goto(address, wait_until="load")
    if way in ("slowly", "from a file"):
        scroll_through(tab)
    elif way == "End at once":
        tab.keyboard.press("End")
        tab.wait_for_timeout(1200)
        # What stands last on a page is in sight.
        assert tab.locator(".prev-next-footer a").last.bounding_box()["y"] < 823 - 40
    else:
        tab.evaluate(
            "scrollTo({top: document.documentElement.scrollHeight / 2, behavior: 'instant'})"
        )
        tab.wait_for_timeout(200)
        tab.reload(wait_until="load")
        tab.wait_for_timeout(600)
        assert tab.evaluate("scrollY") > 1000
    total, most = shifted(tab)
    assert total <= 0.02, most
    context.close()


@pages(CHAPTER, CONTROLS)
def test_the_page_does_not_move_when_an_explorable_does(browser, server, page):
    with visit_to(browser, server, page, width=412, height=823) as visit:
        figure = visit.page.locator("figure.explorable").first
        figure.scroll_into_view_if_needed()
        visit.page.wait_for_load_state("networkidle")
        heights = set()
        for slider in figure.locator("input[type=range]").all():
            slider.focus()
            for key in ("Home", *["ArrowRight"] * 4, "End"):
                visit.page.keyboard.press(key)
                heights.add(figure.evaluate("(f) => f.getBoundingClientRect().height"))
        # What lies below moves by as much as the figure grows.
        assert max(heights) - min(heights) < 2
