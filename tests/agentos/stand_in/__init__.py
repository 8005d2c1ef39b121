"""A host like AgentOS, written from the facts of its published versions: module paths, signatures, shapes, habits.

Copied under the name `agentos` or `octopusos` with a `_version.py` (see `../hosts.py`). It does no work of its own
beyond what its callers can see: returned keys, rows, files, commits, exceptions, threads and child processes.
"""
