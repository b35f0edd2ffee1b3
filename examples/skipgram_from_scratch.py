"""Train skip-gram with plain gradient descent: the whole algorithm, on ``wordgrad.maths`` alone.

Run it with ``python examples/skipgram_from_scratch.py``.  It takes a few seconds.
"""

import numpy as np

from wordgrad.maths import log_softmax, skipgram

TEXT = """the king rules the land . the queen rules the land . the king wears a crown .
the queen wears a crown . the dog chases the cat . the cat chases the mouse . the dog eats meat .
the cat eats fish . the mouse eats cheese ."""
WINDOW, D, EPOCHS, LEARNING_RATE = 2, 8, 200, 0.03


def main() -> None:
    tokens = TEXT.split()
    words = sorted(set(tokens))
    ids = np.array([words.index(token) for token in tokens])
    rng = np.random.default_rng(0)
    W_in = rng.normal(scale=0.1, size=(len(words), D))  # row w: the vector of w as a centre word
    W_out = rng.normal(scale=0.1, size=(len(words), D))  # row w: its vector as an outside word

    for epoch in range(1, EPOCHS + 1):
        total, pairs = 0.0, 0
        for i, center in enumerate(ids):
            outside = [*ids[max(0, i - WINDOW) : i], *ids[i + 1 : i + 1 + WINDOW]]
            window = skipgram(center, outside, W_in, W_out)
            W_in -= LEARNING_RATE * window.d_W_in
            W_out -= LEARNING_RATE * window.d_W_out
            total, pairs = total + window.loss, pairs + len(outside)
        if epoch in (1, 10, 100, EPOCHS):
            print(f"epoch {epoch:3}: loss {total / pairs:.3f} a pair")

    print(f"(guessing among {len(words)} words: {np.log(len(words)):.3f})")
    vectors = W_in / np.linalg.norm(W_in, axis=1, keepdims=True)
    for word in ("king", "dog"):
        nearest = np.argsort(-vectors @ vectors[words.index(word)])[1:4]
        likely = np.argsort(-log_softmax(W_out @ W_in[words.index(word)]))[:3]
        print(f"{word}: like {', '.join(words[w] for w in nearest)};", end=" ")
        print(f"near it stand {', '.join(words[w] for w in likely)}")


if __name__ == "__main__":
    main()
