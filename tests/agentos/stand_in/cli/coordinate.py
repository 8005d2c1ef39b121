"""The command that writes a coordinator's outputs."""

import json


def _write_json(path, data):
    path.write_text(json.dumps(data, indent=2))
