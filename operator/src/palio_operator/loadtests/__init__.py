"""LoadTest: one run of load as a resource, from its place in the queue to its verdict."""
