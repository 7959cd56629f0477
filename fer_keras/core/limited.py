"""Work on untrusted files in a separate process with limited time and memory."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

from fer_keras.core.errors import InputError

SECONDS = 20  # for the work itself
STARTING = 60  # seconds to start Python and import what the work needs
MEMORY = 2 << 30  # bytes in addition to those of the imports
FAILED = 2  # exit code after an `InputError`; its message is the last line of stderr


def try_in_child(module: str, *arguments: str, data: bytes, path: object) -> None:
    """Run `python -m MODULE ARGUMENTS`, `data` on its standard input, and wait for its end.

    Args:
        module: one that calls `work`.
        data: content of the file `path`.
        path: for messages.

    Raises:
        InputError: if the process ends with an error, or needs more than `SECONDS` or `MEMORY`.
    """
    command = [sys.executable, "-P", "-m", module, *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
    limits = f"{SECONDS} seconds or {MEMORY >> 30} GiB of memory"
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, env=environment, timeout=SECONDS + STARTING, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{path} is refused: loading it takes more than {limits}.") from None
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode == FAILED and lines:
        raise InputError(lines[-1])
    if done.returncode:
        raise InputError(f"{path} is refused: loading it takes more than {limits}, or crashes the process.")


def work(function: Callable[..., None], *arguments: object) -> None:
    """Call `function` on `arguments` under the limits, in a process that `try_in_child` started; end the process.

    On systems without such limits (Windows), only the time limit of `try_in_child` applies.
    """
    if os.name == "posix":
        import resource

        with open("/proc/self/statm") if os.path.exists("/proc/self/statm") else open(os.devnull) as file:
            taken = int((file.read().split() or ["0"])[0]) * resource.getpagesize()
        if taken:
            resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(SECONDS)  # its default action ends the process
    try:
        function(*arguments)
    except InputError as error:
        print(str(error).replace("\n", " "), file=sys.stderr)
        code = FAILED
    except MemoryError:
        code = 1
    else:
        code = 0
    sys.stderr.flush()
    os._exit(code)  # without cleaning up
