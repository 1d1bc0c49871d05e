"""Repeatable benchmarks: each goal a ratio, taken in one interleaved run beside a named peer or limit.

Never asserted as tests. ``python -m bench --help`` says how to run them; README.md holds the figures.
"""
