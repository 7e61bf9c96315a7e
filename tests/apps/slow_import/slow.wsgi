"""Takes a while to load, so that other requests come meanwhile."""
import time

time.sleep(0.3)


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"whole"]
