"""guyverd: a daemon that finds the people in your photos and keeps a folder of links for each of them."""

import os as _os

__version__ = "0.1.0"

# One thread for linear algebra, unless the user says otherwise; it is read when numpy loads. Grouping multiplies small
# matrices, and while workers keep every core busy threads wait for each other five times as long as one needs alone.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    _os.environ.setdefault(_name, "1")
