"""In which order programs take turns: forth and back, ABBA."""


def turns(names, rounds):
    """The names of each round; whatever grows or shrinks evenly with time
    (a disk that fills, a clock that falls) hits all alike."""
    for number in range(rounds):
        yield list(names) if number % 2 == 0 else list(reversed(names))
