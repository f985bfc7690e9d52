"""Pure detection: frames and events in, findings out. No network, no disk, no environment, no wall clock.

`frame.py`, `events.py` and the two `*_features.py` are what a detector is shown; `detector.py` and `hold.py`
are what it is built from; `catalogue.py` finds it. One folder a family, one file a detector.
"""
