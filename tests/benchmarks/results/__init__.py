"""What is decoded of real recordings: live and causal, beside the same pipeline offline and zero-phase."""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # before numpy is imported, as in the engine
