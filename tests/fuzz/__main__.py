"""Fuzz some kinds of input, or all: counts, accepted nonsense and faults of each; exit 1 where there is a fault."""

import argparse
import sys

from tests.fuzz import harness


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(harness.kinds())}; all by default")
    parser.add_argument("--cases", type=int, default=1000, help="cases of each kind (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same cases (default 0)")
    options = parser.parse_args()
    if unknown := set(options.kinds) - set(harness.kinds()):
        parser.error(f"unknown kind {sorted(unknown)[0]!r}; there are {', '.join(harness.kinds())}")
    n_faults = 0
    for kind in options.kinds or harness.kinds():
        tally = harness.run(kind, options.cases, options.seed)
        print(tally.describe(kind), flush=True)
        n_faults += len(tally.faults)
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
