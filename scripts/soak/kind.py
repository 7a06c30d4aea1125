"""What a kind of trial is, and where the numbers of one trial come from."""

import random
from dataclasses import dataclass
from typing import Callable, Union


class Draw(random.Random):
    """The random numbers of one trial. It has its own: it can be done again without those before it."""

    def __init__(self, seed, name, index):
        super().__init__(f"{seed} {name} {index}")
        self.index = index


@dataclass
class Kind:
    """A kind of trial.

    - full: trials in a full run; a function of the workshop when there is one for each of something that has to be counted.
    - sample: trials in a sample.
    - trial: does it, given the workshop and a Draw; says how many faults there were.
    - waits: whether it mostly waits, so that one beside it costs nothing.
    """

    name: str
    full: Union[int, Callable]
    sample: int
    trial: Callable
    waits: bool = False

    def count(self, shop):
        return self.full(shop) if callable(self.full) else self.full
