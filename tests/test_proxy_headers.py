"""The fields of a request that is passed on, and of its response: which go through, which are added, which are changed."""
import pytest

from harness.back_end import seen


def test_fields_of_a_connection_stay_with_it(serve, back_end):
    def answer(exchange):
        exchange.respond("x", headers=["Connection: X-Theirs, keep-alive", "X-Theirs: 1", "Keep-Alive: timeout=5", "X-Kept: 1",
                                       "Proxy-Authenticate: Basic", "Upgrade: h2c"])

    end = back_end(answer)
    server = serve(f"ProxyPass / {end.url}/\n")
    with server.connect() as connection:
        response = connection.get("/", headers=[
            "Connection: X-Mine, Host, Content-Length, keep-alive", "X-Mine: 1", "Keep-Alive: timeout=5", "TE: trailers", "Trailer: X-T",
            "Upgrade: h2c", "Proxy-Authorization: Basic x", "Proxy-Connection: keep-alive", "X-Other: 1"], method="POST", body=b"abc")
    request = end.requests[0]
    for name in ("X-Mine", "Keep-Alive", "TE", "Trailer", "Upgrade", "Proxy-Authorization", "Proxy-Connection", "Connection"):
        assert request.one(name) is None, name
    assert (request.one("X-Other"), request.one("Content-Length")) == ("1", "3")
    assert request.one("Host") == f"127.0.0.1:{end.port}"
    for name in ("X-Theirs", "Keep-Alive", "Proxy-Authenticate", "Upgrade", "Connection"):
        assert response.one(name) is None, name
    assert response.one("X-Kept") == "1"


@pytest.mark.parametrize(("value", "expected"), [("inside", "inside"), ("expr=%{REQUEST_METHOD}", "GET")])
def test_a_client_cannot_take_out_what_the_configuration_says(serve, back_end, value, expected):
    end = back_end()
    server = serve(f'ProxyPass / {end.url}/\nRequestHeader set X-Zone "{value}"\n')
    with server.connect() as connection:
        _, fields = seen(connection.get("/", headers=["Connection: X-Zone, X-Own", "X-Own: 1", "X-Zone: outside"]))
    assert fields["x-zone"] == [expected] and "x-own" not in fields


def test_the_back_end_is_told_by_rules(serve, back_end):
    end = back_end()
    server = serve(f"""
ProxyVia On
ProxyPass / {end.url}/
<Location />
    RequestHeader set X-Forwarded-Proto https
    RequestHeader unset X-Secret
    Header set X-Added yes
</Location>
<Location /host>
    ProxyPreserveHost On
</Location>
<Location /quiet>
    ProxyAddHeaders Off
</Location>
""")
    with server.connect() as connection:
        response = connection.get("/", headers=["X-Secret: 1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2", "Via: 1.0 other"])
        shown, fields = seen(response)
        assert fields["x-forwarded-for"] == ["192.0.2.1, 192.0.2.2, 127.0.0.1"]
        assert fields["via"] == ["1.0 other, 1.1 localhost"]
        assert response.one("Via") == "1.1 localhost"
        assert (fields["x-forwarded-proto"], "x-secret" in fields, response.one("X-Added")) == (["https"], False, "yes")
        assert seen(connection.get("/host", host="site.example:8000"))[1]["host"] == ["site.example:8000"]
        assert "x-forwarded-for" not in seen(connection.get("/quiet"))[1]


def test_redirects_and_cookies_of_a_back_end_lead_here(serve, back_end):
    def answer(exchange):
        exchange.respond("", "302 Found", [f"Location: {exchange.one('X-Location')}", "Set-Cookie: a=1; Path=/inner/x; Domain=inner.example",
                                           "Set-Cookie: path=/inner/"])

    end = back_end(answer)
    server = serve(f"""
ProxyPass /app/ {end.url}/inner/
ProxyPassReverse /app/ {end.url}/inner/
ProxyPassReverseCookiePath /inner/ /app/
ProxyPassReverseCookieDomain inner.example example.org
""")

    def location(written):
        response = server.get("/app/", headers={"X-Location": written})
        assert response.headers.get_list("set-cookie") == ["a=1; Path=/app/; Domain=example.org", "path=/inner/"]
        return response.headers["location"]

    assert location(f"{end.url}/inner/a?b=1") == "/app/a?b=1"
    assert location(f"{end.url}/inner//evil.example") == "/app//evil.example"
    assert location(f"{end.url}/other") == f"{end.url}/other"
    assert location("https://elsewhere.example/") == "https://elsewhere.example/"
