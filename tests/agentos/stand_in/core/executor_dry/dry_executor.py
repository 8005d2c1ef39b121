"""A dry result; its id is a hash of the intent's, so that a rerun has the same."""

import hashlib

from ..time import now
from .review_pack_stub import ReviewPackStubGenerator


class DryExecutor:
    def run(self, intent, coordinator_outputs=None):
        digest = hashlib.sha256(intent["id"].encode()).hexdigest()[:16]
        plan, commits = {"plan_id": f"patchplan_{digest}", "files": []}, {"plan_id": f"commitplan_{digest}", "commits": []}
        stub = ReviewPackStubGenerator(intent, {}, plan, commits).generate()
        result = {
            "result_id": f"dryexec_{digest}", "schema_version": "0.10.0", "intent_ref": {"intent_id": intent["id"]},
            "created_at": now(), "graph": {"graph_id": f"graph_{digest}", "nodes": []}, "patch_plan": plan,
            "commit_plan": commits, "review_pack_stub": stub, "audit_log": [], "metadata": {}, "lineage": {},
        }
        if coordinator_outputs:
            result["coordinator_ref"] = {"run_id": coordinator_outputs.get("run_id", "unknown")}
        result["checksum"] = digest
        return result


def run_dry_execution(intent, coordinator_outputs=None):
    return DryExecutor().run(intent, coordinator_outputs)
