"""The project's one error class, and how errors of other packages are quoted."""


class InputError(ValueError):
    """The user's input cannot be used: a file, an option, a model.

    The message is one line: what happened, what was expected, what was received and what to do. The command line
    prints it without a traceback and exits with code 2. Every other exception is a bug.
    """


def first_line(error: BaseException | str) -> str:
    """Return the first line of the error's message, or its `repr` if it has no message.

    Args:
        error: the error or its message.
    """
    return (str(error).strip() or repr(error)).splitlines()[0].strip()


def one_line(error: BaseException) -> str:
    """Return the error's whole message on one line."""
    return " ".join(str(error).split()) or repr(error)
