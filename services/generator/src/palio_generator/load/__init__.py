"""Load that tells the truth: a plan goes in, one-second rows come out, and a report with a verdict.

The contract of this package is `plan`, `results` and `verdicts` (pure: numbers in, numbers out) and what
`python -m palio_generator.load` says on its standard output (`messages`). Everything else may change.
"""
