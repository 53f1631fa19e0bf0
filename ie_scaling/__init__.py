"""Choose a transformer's shape under parameter, token and latency budgets, with honest uncertainty."""
