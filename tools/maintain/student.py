"""Begin as a student does: the wheel in a fresh environment, and a chapter's notebook beside it.

    make student                      with the first Python that fits
    make student PYTHON=python3.13    with another one

The notebook is executed in a folder where nothing else of the repository is, and JupyterLab is
asked for its version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parent))

from release import ROOT, wheel

CHAPTER = "01-motivation.ipynb"


def main() -> None:
    """Run the command line."""
    python = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([python, "-m", "venv", folder / "batchnorm"], check=True)
        programs = folder / "batchnorm" / ("Scripts" if os.name == "nt" else "bin")
        install = [programs / "python", "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, f"{wheel(folder)}[book]", "jupyterlab"], check=True)
        shutil.copy(ROOT / "book" / CHAPTER, folder)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}

        def jupyter(*arguments: str) -> None:
            command = [programs / "jupyter", *arguments]
            subprocess.run(command, check=True, cwd=folder, env=environment)

        jupyter("lab", "--version")
        jupyter("execute", "--inplace", CHAPTER)
        cells = nbformat.read(folder / CHAPTER, as_version=4).cells
        run = [cell for cell in cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in run)
        version = subprocess.check_output([programs / "python", "--version"], text=True).strip()
        print(f"{version}: the wheel is installed, and {len(run)} cells of {CHAPTER} ran")


if __name__ == "__main__":
    main()
