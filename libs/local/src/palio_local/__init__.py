"""The palio command and the local stack: all of palio as processes on one machine."""
