"""One thread that writes; the caller waits for it."""

import queue
import sqlite3
import threading


class SQLiteWriter:
    def __init__(self, db_path):
        self.db_path, self.jobs = db_path, queue.Queue()
        threading.Thread(target=self._work, name="SQLiteWriter", daemon=True).start()

    def submit(self, fn, timeout=10.0):
        done, box = threading.Event(), {}
        self.jobs.put((fn, done, box))
        if not done.wait(timeout):
            raise TimeoutError("write timed out")
        if "error" in box:
            raise box["error"]
        return box["result"]

    def _work(self):
        connection = sqlite3.connect(self.db_path, timeout=30)
        while True:
            fn, done, box = self.jobs.get()
            try:
                with connection:
                    box["result"] = fn(connection)
            except Exception as error:
                box["error"] = error
            done.set()
