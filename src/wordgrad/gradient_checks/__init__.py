"""Every formula that the library stands on, checked on this machine.

The gradients of ``wordgrad.maths`` are compared with finite differences, and one step of the fast
kernels with these gradients.  That they are those of the losses in the papers is proved by SymPy in
``tests/gradient_checks``.
"""

from wordgrad.gradient_checks.checks import (
    BOUNDS,
    GradientCheck,
    Result,
    all_checks,
    run_check,
)

__all__ = ["BOUNDS", "GradientCheck", "Result", "all_checks", "run_check"]
