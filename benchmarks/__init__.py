"""Programs that measure what Consentry costs, each beside a baseline; `docs/benchmarks.md` tells what they mean."""
