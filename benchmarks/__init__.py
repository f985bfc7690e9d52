"""Two questions about the whole program, answered with figures: how well it finds faults, and what watching costs.

`python -m benchmarks.score` injects every detector's own fault into programme, codes it, and watches it; then it
watches clean programme and counts false alarms. `python -m benchmarks.speed` sets the CPU time of a check against
decoding alone and against FFmpeg's filters. Each draws or makes all that it needs; real footage is used where a
corpus lies beside the checkout.
"""

import os

# One core each. Read when numpy is first imported: its BLAS would start a thread for each core, and spin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
