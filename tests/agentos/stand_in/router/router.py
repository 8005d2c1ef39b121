"""Routes a task to an instance of a model; with none there, it raises."""

from ..providers import registry as _providers


class Router:
    async def route(self, task_id, task_spec):
        raise RuntimeError("No suitable instances found for task requirements: ['general']")

    async def verify_or_reroute(self, task_id, current_plan):
        return current_plan, None if current_plan.selected else "rerouted"
