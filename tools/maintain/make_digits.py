"""Write digits.npz from scikit-learn's copy of the digits; run by a maintainer, not by readers.

python tools/maintain/make_digits.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
np.savez_compressed(
    Path(__file__).parents[2] / "bncourse" / "digits" / "digits.npz",
    images=digits.data.astype(np.uint8),
    labels=digits.target.astype(np.uint8),
)
