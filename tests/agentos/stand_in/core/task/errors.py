"""What the executor raises where a specification is not frozen."""


class SpecNotFrozenError(Exception):
    pass
