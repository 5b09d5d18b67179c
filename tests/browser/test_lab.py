"""The explorables in JupyterLab: live with a kernel, and readable in a notebook not yet run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from .visits import ROOT

FAULTY = """
from bncourse.display import Explorable, FigureWithWords, Range
from bncourse.display.style import new_figure, style

def faulty(x):
    if x > 1:
        raise ValueError(f"x: expected at most 1, got {x}")
    with style():
        figure, ax = new_figure(3, 2)
    return FigureWithWords(figure, f"x is {x:g}.")

Explorable("faulty", faulty, {"x": Range("x", (0.0, 1.0), 1.0, high=3.0, step=1.0)})
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab over a folder with two small notebooks and a chapter."""
    folder = tmp_path_factory.mktemp("lab")
    calculator = (
        "from bncourse.chapters import algorithm\nalgorithm.explore.batch_norm_calculator()"
    )
    cells = [calculator, FAULTY]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    # Without a kernel's name JupyterLab asks for one.
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "live.ipynb")
    shutil.copy(ROOT / "book" / "02-algorithm.ipynb", folder / "chapter.ipynb")
    # Draw every cell at once: otherwise only those in view exist, and which were in view when a
    # test looked depends on how fast the machine scrolls.
    settings = folder / ".settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
            *(f"--port={port}", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"),
            "--LabApp.news_url=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings")},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api/status")
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail("JupyterLab did not start within two minutes")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:  # it waits for a kernel that was still starting
            process.kill()
            process.wait()


@pytest.fixture
def tab(browser):
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    yield context.new_page()
    context.close()


def test_a_slider_redraws_the_figure_and_an_error_can_be_read(lab, tab):
    tab.goto(f"{lab}/lab/tree/live.ipynb?reset")
    tab.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=120_000)
    tab.get_by_text("| Idle").wait_for(timeout=120_000)
    tab.get_by_role("menuitem", name="Run", exact=True).click()
    tab.get_by_text("Run All Cells", exact=True).click()
    picture = tab.locator(".jp-OutputArea .jupyter-widgets img").first
    picture.wait_for(timeout=120_000)
    before = picture.get_attribute("alt")
    assert "m = 8" in before
    slider = tab.locator(".jupyter-widgets [role=slider]").first
    slider.focus()
    tab.keyboard.press("ArrowLeft")
    picture = tab.locator('.jupyter-widgets img[alt^="m = 7"]')
    picture.wait_for(timeout=20_000)
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth > 0)")

    # A value between the stored frames, and then one that can't be drawn.
    fault = tab.locator(".jupyter-widgets [role=slider]").last
    fault.focus()
    tab.keyboard.press("ArrowRight")
    message = tab.locator('.jupyter-widgets [role="alert"]')
    message.wait_for(timeout=20_000)
    assert "ValueError: x: expected at most 1, got 2.0" in message.inner_text()
    fault.focus()
    tab.keyboard.press("ArrowLeft")
    tab.locator('.jupyter-widgets img[alt="x is 1."]').wait_for(timeout=20_000)


def test_a_chapter_that_was_not_run_shows_its_frames(lab, tab):
    tab.goto(f"{lab}/lab/tree/chapter.ipynb?reset")
    tab.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=120_000)
    frame = tab.locator('.jp-OutputArea figure img[alt^="m = 8"]')
    frame.first.wait_for(timeout=120_000)
    assert frame.count() == 1
    text = tab.locator(".jp-Notebook").first.inner_text()
    assert "Error" not in text.split("Widget")[0][-200:]
    assert "Error displaying widget" not in text
    assert "model not found" not in text
