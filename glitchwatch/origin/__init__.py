"""Live HLS channels made by ourselves, with faults on a schedule: demo, tests, soak and benchmarks share them."""
