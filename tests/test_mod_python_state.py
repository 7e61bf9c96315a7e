"""mod_python's cookies and sessions."""
import concurrent.futures
import hashlib
import re

import pytest

PATH = "PythonPath \"['@apps@/modpython_state'] + sys.path\"\n"


def places(kind=None):
    option = f"PythonOption mod_python.session.session_type {kind}" if kind else ""
    folder = 'PythonOption mod_python.session.database_directory "@tmp@"'
    return PATH + "".join(
        f'<Location "/{name}">\nSetHandler mod_python\nPythonHandler state::{name}\n{option}\n{folder}\n</Location>\n'
        for name in ("counter", "slow_counter", "ends", "signed", "cookies")
    )


@pytest.mark.parametrize("kind", ["MemorySession", "FileSession", "DbmSession"])
def test_a_session_is_kept(serve, kind):
    server = serve(places(kind), workers=1 if kind == "MemorySession" else 2)
    with server.new_client() as client:
        assert client.get("/counter").text == f"{kind} 1 True True"
        cookie = client.cookies.get("pysid")
        assert re.fullmatch("[0-9a-f]{32}", cookie)
        for count in (2, 3):
            assert client.get("/counter").text == f"{kind} {count} False True"
        assert client.get("/ends").status_code == 200
        client.cookies.set("pysid", cookie)
        assert client.get("/counter").text == f"{kind} 1 True True"
    with server.new_client() as other:
        assert other.get("/counter").text == f"{kind} 1 True True"


def test_the_cookie_of_a_session(serve):
    server = serve(places())
    sent = server.get("/counter").headers["set-cookie"]
    assert "path=/" in sent and "httponly" in sent


@pytest.mark.parametrize("sid", ["x", "../../etc/passwd", "0" * 32, "0" * 33])
def test_an_identifier_that_others_chose_is_not_taken_over(serve, sid):
    server = serve(places("FileSession"))
    response = server.get("/counter", headers={"Cookie": f"pysid={sid}"})
    assert response.text == "FileSession 1 True True"
    assert sid not in response.headers["set-cookie"]


def test_the_lock_of_a_session_is_never_that_of_the_database(serve):
    # The locks are files that names share; some visitor's session has the number of the database, by its name alone or
    # with its kind before it.
    server = serve(places("DbmSession"))
    database = str(server.tmp / "mp_sess.dbm")
    sids = [f"{number:032x}" for number in range(20_000)]
    for session, dbm in (("", ""), ("session ", "dbm ")):
        sid = next(sid for sid in sids if lock_number(session + sid) == lock_number(dbm + database))
        assert server.get("/counter", headers={"Cookie": f"pysid={sid}"}).text == "DbmSession 1 True True"


def lock_number(name):
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 512


def test_the_kind_fits_the_workers(serve):
    assert serve(places()).get("/counter").text.startswith("MemorySession")
    assert serve(places(), workers=2).get("/counter").text.startswith("DbmSession")


@pytest.mark.parametrize("kind", ["FileSession", "DbmSession"])
def test_requests_of_one_visitor_wait_for_each_other(serve, kind):
    server = serve(places(kind), workers=2)
    cookie = {"Cookie": f"pysid={server.get('/counter').cookies['pysid']}"}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: int(server.get("/slow_counter", headers=cookie).text), range(16)))
    assert sorted(counts) == list(range(2, 18))


def test_a_signed_session_is_the_visitors_alone(serve):
    server = serve(places("FileSession"))
    with server.new_client() as client:
        assert client.get("/signed").text == "True"
        value = client.cookies["pysid"]
        assert len(value) == 96
        assert client.get("/signed").text == "False"
    forged = {"Cookie": f"pysid={'0' * 64}{value[64:]}"}
    assert server.get("/signed", headers=forged).text == "True"


def test_cookies(serve):
    server = serve(places())
    response = server.get("/cookies?set")
    sent = response.headers.get_list("set-cookie")
    assert len(sent) == 3
    assert re.match(r"plain=one; path=/; Max-Age=60; expires=\w{3}, .* GMT; httponly$", sent[0])
    assert response.headers["cache-control"] == 'no-cache="set-cookie"'
    pairs = [cookie.split(";")[0] for cookie in sent]
    shown = server.get("/cookies", headers={"Cookie": "; ".join(pairs)}).text
    assert shown == "one SignedCookie two MarshalCookie {'three': [3]}"


def test_a_cookie_with_a_wrong_signature_is_a_plain_one(serve):
    server = serve(places())
    pairs = [cookie.split(";")[0] for cookie in server.get("/cookies?set").headers.get_list("set-cookie")]
    forged = [re.sub("=[0-9a-f]{4}", "=0000", pair) for pair in pairs]
    shown = server.get("/cookies", headers={"Cookie": "; ".join(forged)}).text
    assert re.match(r"one Cookie 0000[0-9a-f]{60}two Cookie 0000", shown)
