"""Write mnist1d.npz with the authors' package; run by a maintainer, not by readers.

python tools/maintain/make_mnist1d.py
"""

from pathlib import Path

import numpy as np
from mnist1d.data import get_dataset_args, make_dataset

data = make_dataset(get_dataset_args())  # default arguments, seed 42 among them
np.savez_compressed(
    Path(__file__).parents[2] / "bncourse" / "mnist1d" / "mnist1d.npz",
    # Noise of standard deviation 0.02 was added to each number, so half precision loses nothing.
    x_train=data["x"].astype(np.float16),
    y_train=data["y"].astype(np.uint8),
    x_test=data["x_test"].astype(np.float16),
    y_test=data["y_test"].astype(np.uint8),
)
