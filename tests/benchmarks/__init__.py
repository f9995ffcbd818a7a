"""The benchmarks run, small, and say what docs/benchmarks.md explains."""
