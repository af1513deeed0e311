"""The connection that both programs use."""
import psycopg2


def connect():
    with open('/run/secrets/db-password', encoding='utf8') as secret:
        password = secret.read().strip()
    # An alias of the service, on the network that both are in.
    return psycopg2.connect(host='database', user='api', dbname='postgres', password=password)
