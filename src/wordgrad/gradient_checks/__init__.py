"""Every formula that the library stands on, and what three witnesses say of each.

Algebra (SymPy's exact derivative of the loss as it is written in the papers), numbers (finite
differences) and the machine (one step of the fast kernels) are compared with ``wordgrad.maths``.
"""

from wordgrad.gradient_checks.check import Claim, Testimony, Verdict, prove
from wordgrad.gradient_checks.checks import all_claims

__all__ = ["Claim", "Testimony", "Verdict", "all_claims", "prove"]
