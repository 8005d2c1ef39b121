"""Packs of answers as files."""

import json
import uuid
from pathlib import Path


class AnswerStore:
    def __init__(self, base_path=None):
        self.base_path = base_path or Path("outputs/answers")
        self.base_path.mkdir(parents=True, exist_ok=True)

    def generate_pack_id(self, question_pack_id):
        return f"apack_{uuid.uuid4().hex[:8]}"

    def save(self, answer_pack, output_path=None):
        if not answer_pack.get("answer_pack_id"):
            raise ValueError("answer_pack_id is required")
        path = output_path or self.base_path / f"{answer_pack['answer_pack_id']}.json"
        path.write_text(json.dumps(answer_pack, indent=2))
        return path
