"""Each process of the tests has a core of its own."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before anything imports NumPy or torch.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
