"""What a reviewer would look at."""


class ReviewPackStubGenerator:
    def __init__(self, intent, graph, patch_plan, commit_plan):
        self.intent = intent

    def generate(self):
        return {"requires_review": [], "risk_summary": {"dominant_risk": "low"}, "evidence_coverage": {},
                "estimated_review_time": 1}
