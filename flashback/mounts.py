"""Which file system a folder is on: SQLite in WAL mode needs shared memory, which network file systems do not give.

See https://www.sqlite.org/wal.html, "All processes using a database must be on the same host computer".
"""

from pathlib import Path

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"})
TABLE = Path("/proc/mounts")


def network_type(folder: Path, table: str | None = None) -> str:
    """Return the type of the network file system that holds `folder`, such as "nfs4"; "" for a local or unknown one.

    `table` is the text of /proc/mounts; it is read when not given.
    """
    if table is None:
        table = TABLE.read_text() if TABLE.exists() else ""
    where = folder.resolve()
    best, kind = -1, ""
    for line in table.splitlines():
        _, point, found, *_ = [*line.split(), "", "", ""]
        mount = Path(point.encode().decode("unicode_escape"))
        depth = len(mount.parts)
        # The last line wins among equals: it was mounted over the others.
        if depth >= best and where.is_relative_to(mount):
            best, kind = depth, found
    return kind if kind in NETWORK else ""
