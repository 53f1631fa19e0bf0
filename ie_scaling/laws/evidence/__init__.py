"""How far to trust a law: cross-validation, the contest, calibration, certificates, reproduction."""
