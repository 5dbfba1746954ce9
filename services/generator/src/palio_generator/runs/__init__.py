"""Runs of load as they are kept: the store both doors write to, a run's course, comparing two of them.

Whoever runs an engine (this process, or a pod) speaks to `doors.Door`; nobody else writes what was measured.
"""
