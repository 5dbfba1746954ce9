"""Support for tests: keys and tokens like the real ones, waiting with a deadline. No service imports it."""
