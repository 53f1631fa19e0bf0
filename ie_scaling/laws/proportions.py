"""Decoders of given proportions at any size and aspect ratio, as laws read them: width and depth are continuous."""

import dataclasses

import numpy as np

from ie_scaling import accounting
from ie_scaling.architecture import Architecture
from ie_scaling.laws.observations import Features, Observations

Values = float | np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proportions:
    """Proportions that members share.

    Attributes:
      layer_parameters: N_non / (n·d²).
      embedding_rows: N_emb / d, the rows of all vocabulary matrices.
      mlp_attention_ratio, query_group: r and g.
    """

    layer_parameters: float
    embedding_rows: float
    mlp_attention_ratio: float
    query_group: float

    @classmethod
    def like(cls, template: Architecture) -> "Proportions":
        """With the proportions of one architecture."""
        t = template
        return cls(
            layer_parameters=accounting.count_non_embedding_parameters(t) / (t.n_layers * t.d_model**2),
            embedding_rows=accounting.count_embedding_parameters(t) / t.d_model,
            mlp_attention_ratio=accounting.mlp_attention_ratio(t),
            query_group=t.query_group,
        )

    @classmethod
    def of(cls, observations: Observations) -> "Proportions":
        """With the median proportions of a run table; NaN where it does not say."""
        return cls.of_features(observations.features)

    @classmethod
    def of_features(cls, features: Features) -> "Proportions":
        """With the median proportions of these rows."""
        x = features
        return cls(
            layer_parameters=float(np.median(x.n_non_embedding / (x.n_layers * x.d_model**2))),
            embedding_rows=float(np.median(x.n_embedding / x.d_model)),
            mlp_attention_ratio=float(np.median(x.mlp_attention_ratio)),
            query_group=float(np.median(x.query_group)),
        )

    def members(
        self, n_total: float | np.ndarray, aspect_ratio: float | np.ndarray, n_tokens: float | np.ndarray
    ) -> Features:
        """Members of these total parameters, d/n and tokens, broadcast to one dimension."""
        n_total, aspect_ratio, n_tokens = np.broadcast_arrays(*map(np.atleast_1d, (n_total, aspect_ratio, n_tokens)))
        d_model = self._width(n_total.astype(float), aspect_ratio.astype(float))
        n_embedding = self.embedding_rows * d_model
        return Features(
            n_total=n_total.astype(float),
            n_non_embedding=n_total - n_embedding,
            n_embedding=n_embedding,
            n_tokens=n_tokens.astype(float),
            d_model=d_model,
            n_layers=d_model / aspect_ratio,
            aspect_ratio=aspect_ratio.astype(float),
            mlp_attention_ratio=np.full(d_model.shape, self.mlp_attention_ratio),
            query_group=np.full(d_model.shape, self.query_group),
            loss_optimal=np.full(d_model.shape, np.nan),
        )

    def _width(self, n_total: np.ndarray, aspect_ratio: np.ndarray) -> np.ndarray:
        """d of layer_parameters·d³/R + embedding_rows·d = N_total, by Newton on a convex function from above."""
        d_model = np.cbrt(n_total * aspect_ratio / self.layer_parameters)
        for _ in range(60):
            cubic = self.layer_parameters / aspect_ratio * d_model**3
            value = cubic + self.embedding_rows * d_model - n_total
            d_model = d_model - value / (3 * cubic / d_model + self.embedding_rows)
        return d_model
