"""Predicted loss curves of a family of decoders that differ in size alone."""

import dataclasses

import numpy as np

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.laws.observations import Features
from ie_scaling.laws.posterior import Posterior
from ie_scaling.report.figures import Band


@dataclasses.dataclass(frozen=True)
class Family:
    """Decoders of one aspect ratio, vocabulary and proportions, with width taken as continuous.

    Attributes:
      features: as a law reads them.
      training_flops: of each, at its tokens.
    """

    features: Features
    training_flops: np.ndarray

    @classmethod
    def like(
        cls, template: Architecture, aspect_ratio: float, n_params: np.ndarray, n_tokens: float, sequence_length: int
    ) -> "Family":
        """Members of about these total parameters; proportions (layer size over d²) as in `template`."""
        t = template
        per_square = accounting.count_non_embedding_parameters(t) / (t.n_layers * t.d_model**2)
        embedding_rows = accounting.count_embedding_parameters(t) / t.d_model
        d_grid = np.geomspace(4, 1e6, 20_000)
        total = per_square * d_grid**3 / aspect_ratio + embedding_rows * d_grid
        d_model = np.interp(np.log(n_params), np.log(total), d_grid)
        n_layers, n_embedding = d_model / aspect_ratio, embedding_rows * d_model
        n_non_embedding = per_square * d_model**2 * n_layers
        attention_width = d_model * t.n_heads * t.d_head / t.d_model
        forward = 2 * n_non_embedding + 2 * t.vocab_size * d_model + 4 * n_layers * sequence_length * attention_width
        features = Features(
            n_total=n_non_embedding + n_embedding,
            n_non_embedding=n_non_embedding,
            n_embedding=n_embedding,
            n_tokens=np.full_like(d_model, n_tokens),
            d_model=d_model,
            n_layers=n_layers,
            aspect_ratio=np.full_like(d_model, aspect_ratio),
            mlp_attention_ratio=np.full_like(d_model, accounting.mlp_attention_ratio(t)),
            query_group=np.full_like(d_model, t.query_group),
        )
        return cls(features, 3 * n_tokens * forward)

    def bands(self, posterior: Posterior, level: str, label: str) -> tuple[Band, Band]:
        """The predicted loss with its 90 % interval, against parameters and against training FLOPs."""
        loss_WA = np.exp(posterior.predict(self.features, level))
        mean, lo, hi = loss_WA.mean(axis=0), *np.quantile(loss_WA, (0.05, 0.95), axis=0)
        return (
            Band(label, self.features.n_total, mean, lo, hi),
            Band(label, self.training_flops, mean, lo, hi),
        )
