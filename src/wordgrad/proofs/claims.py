"""The list of claims, in the order of the derivations."""

from __future__ import annotations

from wordgrad.proofs.claim import Claim
from wordgrad.proofs.function_claims import sigmoid_claims, softmax_claims
from wordgrad.proofs.network_claims import network_claims
from wordgrad.proofs.text_claims import text_claims
from wordgrad.proofs.window_claims import cbow_claims, pair_claims, skipgram_claims


def all_claims() -> list[Claim]:
    """Every formula once."""
    return [
        *sigmoid_claims(),
        *softmax_claims(),
        *network_claims(),
        *text_claims(),
        *pair_claims(),
        *skipgram_claims(),
        *cbow_claims(),
    ]
