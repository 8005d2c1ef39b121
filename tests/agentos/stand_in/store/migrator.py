"""Migrations; the stand-in's database is made whole at once."""


class Migrator:
    def execute_migration(self, connection, version, migration_file):
        raise NotImplementedError

    def get_available_migrations(self):
        return []
