"""The tables that verbs share: runs, latencies, architectures, and the cells they are made of."""
