"""SQLite files are refused on network file systems, which are known by their type."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentos_otel.tasks.sqlite import NETWORK, filesystem_of, refuse_network

MOUNTS = """\
22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
41 22 0:38 / /home/user rw,nosuid shared:20 master:3 - nfs4 server:/home rw,vers=4.2
42 22 0:39 / /srv/with\\040space rw - cifs //server/share rw
43 22 0:40 / /mnt rw shared:21 - fuse.sshfs user@host: rw
broken line
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        (os.makedev(253, 0), "ext4"),
        (os.makedev(0, 38), "nfs4"),
        (os.makedev(0, 39), "cifs"),
        (os.makedev(0, 40), "fuse.sshfs"),
        (os.makedev(9, 9), ""),
    ],
)
def test_a_file_system_is_known_by_the_device_of_what_lies_on_it(device: int, kind: str) -> None:
    assert filesystem_of(device, MOUNTS) == kind
    assert (kind in NETWORK) == (kind not in ("ext4", ""))


def test_a_local_directory_is_not_refused(tmp_path: Path) -> None:
    refuse_network(tmp_path, "the index", "name another")
