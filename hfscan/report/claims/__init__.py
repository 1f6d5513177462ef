"""Fact-check published claims: read them from TOML, measure them, and judge what was measured."""

from hfscan.report.claims.evaluate import Claim, evaluate_claims
from hfscan.report.claims.verdict import Verdict

__all__ = ["Claim", "Verdict", "evaluate_claims"]
