"""Checks of what a run needs on this machine, with advice if something is missing."""

import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import shutil
import tempfile

from packaging.requirements import Requirement

from fer_keras.backend import selection
from fer_keras.core.errors import InputError, first_line
from fer_keras.core.files import StrPath
from fer_keras.data import cache, loading

LITTLE_ROOM = 1 << 30  # bytes; a run with checkpoint and plots takes tens of MB


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of a check: `level` is `"ok"`, `"note"` or `"wrong"`; if not ok, `text` says what to do."""

    level: str
    subject: str
    text: str


def findings(output: StrPath = "runs") -> list[Finding]:
    """Return `Finding`s on packages, backend, data, wandb and folders; `output` is where run directories go."""
    return [
        _required(),
        _optional(),
        *_backend(),
        _data(),
        _wandb(),
        _decoding(),
        *(_folder(subject, path) for subject, path in _folders(output).items()),
    ]


def _requirements() -> dict[Requirement, str | None]:
    """Return {requirement: name of its extra, or `None`} of the installed distribution."""
    found = {}
    for text in importlib.metadata.requires("fer-keras") or []:
        requirement = Requirement(text)
        extra = str(requirement.marker).partition('extra == "')[2].rstrip('"') if requirement.marker else ""
        if not requirement.marker or requirement.marker.evaluate({"extra": extra}):
            found[requirement] = extra or None
    return found


def _fits(requirement: Requirement) -> bool:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def _required() -> Finding:
    here = f"fer-keras {_version('fer-keras')}, Python {platform.python_version()}, Keras {_version('keras')}"
    if _version("fer-keras") is None:
        return Finding("note", "packages", "fer-keras is not installed. In its folder, run `pip install -e .`.")
    missing = [f"'{r.name}{r.specifier}'" for r, extra in _requirements().items() if not (extra or _fits(r))]
    if missing:
        return Finding("wrong", "packages", f"{here}. Run `pip install {' '.join(missing)}`.")
    return Finding("ok", "packages", here)


def _optional() -> Finding:
    extras: dict[str, list[bool]] = {}
    if _version("fer-keras") is not None:
        for requirement, extra in _requirements().items():
            if extra and requirement.name != "fer-keras":
                extras.setdefault(extra, []).append(_fits(requirement))
    there, missing = ([name for name, fits in extras.items() if all(fits) is kind] for kind in (True, False))
    text = f"installed: {', '.join(there) or 'none'}; not: {', '.join(missing) or 'none'}"
    return Finding("ok", "extras", text + (" (`pip install 'fer-keras[NAME]'`)" if missing else ""))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _backend() -> list[Finding]:
    name = os.environ["KERAS_BACKEND"]
    if fault := selection.fault():
        return [Finding("wrong", "backend", fault)]
    try:
        from fer_keras.backend import device, machine

        about = machine.environment()
    except Exception as error:  # a broken installation can raise anything
        reason = first_line(error)
        again = f"`pip install --force-reinstall {selection.PACKAGES[name]}`"
        return [Finding("wrong", "backend", f"{name} cannot be loaded: {reason} Run {again}.")]
    others = ", ".join(other for other in selection.installed() if other != name) or "none"
    threads = f", {about['threads']} of {about['cores']} cores used" if about["threads"] else ""
    return [
        Finding("ok", "backend", f"{name} {about['backend_version']}; also installed: {others} (KERAS_BACKEND)"),
        Finding("ok", "device", f"{about['device']}, {about['processor']}{threads}"),
        Finding("ok", "precision", f"{device.fast_precision()} (`--precision` of `fer-keras run` changes it)"),
    ]


def _data() -> Finding:
    given = os.environ.get("FER_DATA")
    origin = f"FER_DATA is {given!r}" if given else f"FER_DATA is not set, so {loading.fetched()} is used"
    if not given and not loading.fetched().exists():
        todo = "runs use synthetic faces. Set FER_DATA or run `fer-keras data fetch`."
        return Finding("note", "data", f"{origin}, which does not exist: {todo}")
    try:
        place = loading.locate()
    except InputError as error:
        return Finding("wrong", "data", str(error))
    return Finding("ok", "data", f"{origin}: {place or 'synthetic faces'}; `fer-keras data audit` reads it")


def _wandb() -> Finding:
    import wandb

    version, mode = wandb.__version__, os.environ.get("WANDB_MODE")
    if mode:
        return Finding("ok", "wandb", f"{version}, WANDB_MODE is {mode!r}")
    wandb.setup(wandb.Settings(silent=True))
    try:
        logged_in = wandb.login(prompt=False, verify=False)
    except wandb.Error as error:
        return Finding("wrong", "wandb", f"{version}: {error} Run `wandb login --relogin`.")
    if logged_in:
        return Finding("ok", "wandb", f"{version}, logged in: runs are online")
    return Finding(
        "note", "wandb", f"{version}, not logged in: runs stay offline. `wandb login` lets them upload."
    )


def _decoding() -> Finding:
    from fer_keras.recognition import decoding

    if decoding.enforced():
        return Finding("ok", "decoding", "costly images are decoded with limits of time and memory")
    todo = "If strangers send images, limit the memory of the whole server, for example with a container."
    return Finding("note", "decoding", f"{platform.system()} does not limit the memory of a process. {todo}")


def _folders(output: StrPath) -> dict[str, pathlib.Path]:
    return {"runs": pathlib.Path(output), "cache": cache.home(), "temporary": pathlib.Path(tempfile.gettempdir())}


def _folder(subject: str, path: pathlib.Path) -> Finding:
    path = path.resolve()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        option = {"runs": "--output", "cache": "XDG_CACHE_HOME", "temporary": "TMPDIR"}[subject]
        return Finding("wrong", subject, f"{path} cannot be written. Give another folder by {option}.")
    free = shutil.disk_usage(there).free
    level = "ok" if free >= LITTLE_ROOM else "note"
    return Finding(level, subject, f"{path} can be written, {free / (1 << 30):.1f} GiB free")
