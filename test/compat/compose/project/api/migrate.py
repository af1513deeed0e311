"""Runs once before the API does."""
import database

with database.connect() as db, db.cursor() as cursor:
    cursor.execute('create table if not exists visits (id serial primary key, host text)')
print('migrated')
