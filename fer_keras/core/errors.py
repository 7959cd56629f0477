"""The one error class of the project."""


class InputError(ValueError):
    """What the user gave is wrong: a file, an option, a model.

    The message is one line that says what happened, what was expected, what was received and what to do. The
    command line prints it without a traceback and exits with code 2; every other exception is a bug.
    """
