"""Writes files so that each is there whole or not at all, whatever interrupts it.

I/O: the file system; its only writer here.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from provisioning.errors import ProvisioningError, RefusedError

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_LOCK: Final = ".lock"


class Files:
    """The files under one folder, by their relative paths.

    A file is written beside its place, synced, and renamed into it: after an interruption the old content is there, or
    the new. What an interrupted write left beside it bears a fixed name and is overwritten by the next.
    """

    def __init__(self, folder: Path, folder_mode: int = 0o700) -> None:
        self.folder = folder
        self._folder_mode = folder_mode

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and holds it, so that two runs do not mix. Raises: RefusedError, ProvisioningError."""
        with _mapped(self.folder):
            self.folder.mkdir(mode=self._folder_mode, parents=True, exist_ok=True)
            lock = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError(f"another run works on {self.folder}", "wait until it has ended") from None
            yield
        finally:
            os.close(lock)

    def mode(self, path: str) -> int | None:
        """The permission bits of a regular file, None where there is none. Raises: ProvisioningError."""
        with _mapped(self.folder / path):
            try:
                found = os.lstat(self.folder / path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError(f"{self.folder / path} is not a regular file", "move it away")
        return stat.S_IMODE(found.st_mode)

    def read(self, path: str) -> bytes:
        """The content. Raises: ProvisioningError."""
        with _mapped(self.folder / path), (self.folder / path).open("rb") as stream:
            return stream.read(MAX_FILE_BYTES)

    def listed(self, path: str) -> list[str]:
        """Every file under a folder, sorted, as paths like the one given; none where the folder is not there."""
        top = self.folder / path
        found = (one for one in top.rglob("*") if not one.is_dir())
        return sorted(one.relative_to(self.folder).as_posix() for one in found)

    def folders(self, path: str) -> list[str]:
        """The names of the folders in a folder, sorted."""
        top = self.folder / path
        return sorted(one.name for one in top.iterdir() if one.is_dir()) if top.is_dir() else []

    def write(self, path: str, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
        """Puts a file in its place, whole. Raises: ProvisioningError; the place is then as it was."""
        place = self.folder / path
        beside = place.with_name(f".{place.name}.new")
        with _mapped(place):
            self._make_folders(place.parent)
            beside.unlink(missing_ok=True)
            number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                self._fill(number, content)
                if owner is not None:
                    os.fchown(number, *owner)
                os.fchmod(number, mode)
                self._sync(number)
            finally:
                os.close(number)
            self._move(beside, place)
            self._sync_folder(place.parent)

    def protect(self, path: str, mode: int) -> None:
        """Sets the permission bits."""
        with _mapped(self.folder / path):
            (self.folder / path).chmod(mode)

    def remove(self, path: str) -> None:
        """Removes a file and the folders that are empty then."""
        place = self.folder / path
        with _mapped(place):
            place.unlink(missing_ok=True)
            for parent in place.parents:
                if parent == self.folder or any(parent.iterdir()):
                    break
                parent.rmdir()

    def _make_folders(self, place: Path) -> None:
        # Not `parents=True`: Python gives those the process's mask, and keys may lie in them.
        for folder in [*reversed(place.relative_to(self.folder).parents), place.relative_to(self.folder)]:
            (self.folder / folder).mkdir(mode=self._folder_mode, exist_ok=True)

    # The four moments at which an interruption leaves something different behind.

    def _fill(self, number: int, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[os.write(number, left) :]

    def _sync(self, number: int) -> None:
        os.fsync(number)

    def _move(self, beside: Path, place: Path) -> None:
        beside.replace(place)

    def _sync_folder(self, folder: Path) -> None:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextlib.contextmanager
def _mapped(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProvisioningError(
            f"{place}: {os.strerror(error.errno or 0)}", "mend it and run again; what is written already stays"
        ) from error
