"""Where the tables are, since v2.1.0."""

from ...store import database_path
from .._version_gate import VERSION

if VERSION >= (3, 2, 0):

    def get_db_path():
        return str(database_path())

else:

    def _get_db_path():
        return str(database_path())
