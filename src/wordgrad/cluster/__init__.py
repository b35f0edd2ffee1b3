"""Training on several machines: Ray starts, places and watches them, and carries what they send.

``node.py``          what one machine holds and does: parts of the text, buckets of the model
``softmax.py``       what it holds and does with the exact softmax: columns, which it describes
``coordinator.py``   reads a text with all nodes, and replaces those that are lost
``engine.py``        asks them for one episode after another, and goes on when one is lost
``machines.py``      what is asked of the machines, whatever they are
``ray_machines.py``  nodes as actors of Ray; nothing else knows what carries a call to a node

Nothing here is imported unless a cluster is asked for, and Ray not before it is connected to.

Text
----
A text is cut into parts that begin and end with a sentence, small beside an episode, and these are
dealt to the nodes in turn, so that every episode has text on every node.  A node counts the words
of its parts, and encodes them on its own disk when all have agreed on the vocabulary.  It knows
where in the whole text each part begins, so that random numbers, which are functions of the
position, are those of one machine.

An episode
----------
Of the B buckets of ``W_in`` a node owns some that follow one another, and as many of ``W_out`` are
with it at a time.

1. Draw the pairs of the text that lies here, sorted by owner, and send each node its own.
2. For every turn: train a block for each owner here; hand the first bucket of ``W_out`` on to the
   node before as soon as it is done, and take the last from the node after when it is needed, so
   that a bucket moves while others are trained.
3. Deal the words anew, and send every row to the node that owns it now.

What is sent carries the name of the training's *run* and of the episode it belongs to.  When a node
is lost the others abandon the run, and whatever still arrives of it is dropped.

States
------
Some seconds apart, between two episodes, each node copies its buckets; the copy stays with it and
goes to the next node.  When all have arrived there is a *position* from which all can go on, in
whatever placement, for what is learned depends on the buckets and not on where they are.  The last
two are kept, so that there is a whole one while the next is on its way.

When a node is lost the others abandon the run.  Another takes its place and reads its text again;
or, if there is none, its text and its buckets go to the others.  Then all load the newest position
of which every bucket can be had: the last two, or what the trainer itself has, the parameters when
somebody last looked at them.  Episodes are trained again up to where they were, to the same bytes.

What is learned stays on the nodes.  The trainer's parameters are written when somebody looks at
them: a checkpoint, held-out text, a hook, the end.
"""

from wordgrad.cluster.coordinator import MOST_BLOCKS, Coordinator
from wordgrad.cluster.machines import LostError
from wordgrad.cluster.node import AbandonedError, Node
from wordgrad.cluster.ray_machines import RayMachines, nodes_on_this_machine

__all__ = [
    "MOST_BLOCKS",
    "AbandonedError",
    "Coordinator",
    "LostError",
    "Node",
    "RayMachines",
    "nodes_on_this_machine",
]
