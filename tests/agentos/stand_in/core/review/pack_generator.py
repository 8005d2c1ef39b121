"""A review pack; no version calls it."""

from ...providers import registry as _providers


class ReviewPackGenerator:
    def generate(self, run_id, output_dir=None):
        return {"task_id": None, "run_id": run_id}
