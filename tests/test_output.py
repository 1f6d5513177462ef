"""Output files have either the complete new content or the old content."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from hfscan.errors import StorageError
from hfscan.fs import append_output, write_output

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one MiB."""
    if not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root can mount a file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode:
        pytest.skip(f"no file system can be mounted here: {process.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
@pytest.mark.parametrize("write", [write_output, append_output])
def test_link_to_itself_is_left_alone(tmp_path, write):
    link = tmp_path / "report.html"
    link.symlink_to(link)
    with pytest.raises(StorageError, match=r"symbolic links"):
        write(link, "new")
    assert link.is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("write", [write_output, append_output])
def test_full_disk_keeps_the_earlier_file(small_disk, write):
    page = small_disk / "report.html"
    page.write_text("good")
    with pytest.raises(StorageError, match=r"is full\. Free some space"):
        write(page, "x" * 2 * MIB)
    assert page.read_text() == "good"
    assert [path.name for path in small_disk.iterdir()] == ["report.html"]


def test_link_and_mode_are_kept(tmp_path):
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("old")
    page.chmod(0o640)
    link.symlink_to(page)
    write_output(link, "new")
    append_output(link, "er")
    assert link.is_symlink()
    assert page.read_text() == "newer"
    assert stat.S_IMODE(page.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="needs files of POSIX")
def test_special_file_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read_end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_output(pipe, "page")
    assert os.read(read_end, 10) == b"page"
    os.close(read_end)
    assert pipe.is_fifo()
    write_output(Path("/dev/null"), "page")
    assert Path("/dev/null").is_char_device()


def test_missing_folder_is_made(tmp_path):
    write_output(tmp_path / "a" / "b" / "page.md", "text")
    assert (tmp_path / "a" / "b" / "page.md").read_text() == "text"
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="choose another --out"):
        write_output(tmp_path / "file" / "page.md", "text", advice="choose another --out")
