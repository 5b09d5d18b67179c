"""Each picture of a notebook is stored with its drawing for narrow screens."""

from __future__ import annotations

import base64
import io

import nbformat
import pytest
from PIL import Image

from bncourse.display.figure import NARROW
from bncourse.display.narrow import WIDTH

from ..loading import load

NOTEBOOKS = load("pages").notebooks()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_picture_has_a_narrow_drawing(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                assert NARROW in data, cell.id
                picture = base64.b64decode(data[NARROW].partition(",")[2])
                assert Image.open(io.BytesIO(picture)).width == 200 * WIDTH
