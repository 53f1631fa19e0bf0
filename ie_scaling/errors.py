"""What a user can put right: bad input, said in one line."""


class InputError(ValueError):
    """Bad input: one line that names field or file, value and rule; the command exits with 2."""
