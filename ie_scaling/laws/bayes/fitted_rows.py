"""FittedRows: the rows that a posterior was fitted to, which it keeps."""

import dataclasses

import numpy as np

from ie_scaling.laws.bayes.fitted_shapes import FittedShapes
from ie_scaling.laws.observations import Features, Observations


@dataclasses.dataclass(frozen=True)
class FittedRows:
    """R rows of M trained models.

    Attributes:
      run_ids: a label of each row.
      features: of each row, NaN for what the run table left blank.
      log_loss_R: ln of the loss in nats per token.
      model_R: the model of each row, an index among the posterior's `model_ids`.
      shapes: of the M models.
    """

    run_ids: tuple[str, ...]
    features: Features
    log_loss_R: np.ndarray
    model_R: np.ndarray
    shapes: FittedShapes

    @classmethod
    def of(cls, rows: Observations) -> "FittedRows":
        """From the rows of a fit."""
        shapes = FittedShapes.of_rows(rows)
        return cls(tuple(rows.run_ids), rows.features, rows.log_loss_R, rows.model_R.astype(np.int32), shapes)

    def __len__(self) -> int:
        return len(self.run_ids)
