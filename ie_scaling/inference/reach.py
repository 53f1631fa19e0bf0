"""Extrapolation: how far a prediction lies outside the data that a model was fitted to."""

import numpy as np


def beyond(name: str, fitted: np.ndarray, values: np.ndarray, far: float) -> list[str]:
    """Warnings where positive values lie more than `far` times outside those fitted, with how many times."""
    warnings = []
    above, below = values.max() / fitted.max(), fitted.min() / values.min()
    if above > far:
        warnings.append(f"{name} reaches {values.max():.3g}, {above:.3g} times beyond the largest fitted")
    if below > far:
        warnings.append(f"{name} falls to {values.min():.3g}, {below:.3g} times below the smallest fitted")
    return warnings
