"""Counts visits in the database and in the cache, and says who it is."""
import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis

import database

cache = redis.Redis(host=os.environ['CACHE'])
host = socket.gethostname()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/health':
            cache.ping()
            return self.answer({'health': 'well'})
        with database.connect() as db, db.cursor() as cursor:
            cursor.execute('insert into visits (host) values (%s)', (host,))
            cursor.execute('select count(*) from visits')
            (rows,) = cursor.fetchone()
        self.answer({
            'rows': rows,
            'hits': cache.incr('hits'),
            'host': host,
            'greeting': os.environ['GREETING'],
            'colour': os.environ['COLOUR'],
        })

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        print('api', format % args)


ThreadingHTTPServer(('0.0.0.0', 8000), Handler).serve_forever()
