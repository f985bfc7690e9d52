"""Words that cross a process: findings, reports, profiles, errors, clock, metric names.

Plain immutable data and the standard library (plus pydantic where bytes enter); imports nothing else of ours.
"""
