"""Django is set up once, its middleware built once, and its signals sent in pairs."""
import pytest

from harness import django, waiting

SITE = ("django_request", "request_site.settings")


@pytest.fixture
def server(serve):
    return serve(django.location(*SITE))


def counts(server):
    return server.get("/counts/").json()


def test_middleware_is_built_once(server):
    for _ in range(5):
        assert counts(server)["middleware"] == 1


def wait_for_pairs(server, requests):
    """Waits until every request but the counting one, which has started and not finished, has finished."""

    def paired():
        last = counts(server)
        return last["started"] > requests and last["started"] == last["finished"] + 1 and last

    return waiting.until(paired, f"{requests} requests to have finished")


def test_signals_come_in_pairs(server):
    for path in ("/x", "/streamed/", "/raises/", "/x", "/body/"):
        server.get(path)
    last = wait_for_pairs(server, 5)
    assert last["started with environ"] == last["started"]


def test_one_pair_for_a_head_request(server):
    server.client.head("/streamed/")
    wait_for_pairs(server, 1)


def test_a_client_that_leaves_finishes_its_request(server):
    for _ in range(5):
        connection = server.connect()
        connection.request("/streamed/")
        connection.read_until(b"\r\n")
        connection.close()
    wait_for_pairs(server, 5)


def test_every_worker_is_set_up_before_its_first_request(serve):
    server = serve(django.location(*SITE), workers=3)
    seen = {}

    def ask():
        with server.new_client() as client:
            answer = client.get("/counts/").json()
        seen[answer["pid"]] = answer["middleware"]
        return len(seen) == 3

    waiting.until(ask, "three workers to have answered")
    assert set(seen.values()) == {1}
