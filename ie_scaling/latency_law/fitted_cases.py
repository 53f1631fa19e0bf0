"""FittedCases: the timed cases that a latency posterior was fitted to, which it keeps."""

import dataclasses

import numpy as np

from ie_scaling.latency_law.features import RANGES
from ie_scaling.latency_law.timed_rows import TimedRows


@dataclasses.dataclass(frozen=True, kw_only=True)
class FittedCases:
    """R timed cases.

    Attributes:
      names, device_names, session_names: of each row's case, device and session.
      ttft_s_R, tpot_s_R: medians measured, NaN where blank.
      features: those of RANGES by name, each [R].
    """

    names: tuple[str, ...]
    device_names: tuple[str, ...]
    session_names: tuple[str, ...]
    ttft_s_R: np.ndarray
    tpot_s_R: np.ndarray
    features: dict[str, np.ndarray]

    @classmethod
    def of(cls, rows: TimedRows) -> "FittedCases":
        """From the rows of a fit."""
        return cls(
            names=tuple(case.name for case in rows.cases),
            device_names=tuple(rows.devices[device].name for device in rows.device_R),
            session_names=tuple(rows.sessions[session] for session in rows.session_R),
            ttft_s_R=rows.ttft_s_R,
            tpot_s_R=rows.tpot_s_R,
            features={name: getattr(rows.features, name) for name in RANGES},
        )

    def __len__(self) -> int:
        return len(self.names)
