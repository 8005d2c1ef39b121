"""Tasks one after the other, or in a pool of threads."""

from concurrent.futures import ThreadPoolExecutor


class Scheduler:
    def schedule_sequential(self, tasks, execute_fn):
        return self._summary(tasks, [execute_fn(task) for task in tasks])

    def schedule_parallel(self, tasks, execute_fn, max_workers=4):
        with ThreadPoolExecutor(max_workers=max_workers) as pool:
            return self._summary(tasks, list(pool.map(execute_fn, tasks)))

    def schedule_mixed(self, tasks, execute_fn, max_workers=4):
        return {"total_tasks": len(tasks), "completed": 0, "failed": 0, "blocked": 0, "queued": 0, "task_results": {}}

    def schedule_cron(self, cron_tasks, execute_fn, check_interval=60):
        for task in cron_tasks:
            execute_fn(task)

    def _summary(self, tasks, done):
        return {"total_tasks": len(tasks), "completed": sum(done), "failed": len(done) - sum(done), "skipped": 0,
                "task_results": {task["task_id"]: "SUCCESS" for task in tasks}}
