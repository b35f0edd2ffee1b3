"""Training on several machines: Ray starts, places and watches them, and carries what they send.

=============  ====================================================================================
``shares.py``  a text cut into pieces, and which node reads which
``node.py``    what one machine holds and does: its text, its buckets; knows nothing of Ray
``engine.py``  the engine that trains on all nodes; episodes, states, and what follows a loss
``actors.py``  the only home of Ray: connects, checks, makes a node an actor, ends all of them
=============  ====================================================================================

Nothing here is imported unless a cluster is asked for.
"""
