"""Pages as a person gets them: in a real browser, with scripts, style sheets, uploads, and over HTTP/2."""
import pytest
from harness import django
from harness.browser import browser  # noqa: F401: a fixture
from harness.tls import Authority

PAGE = """
Alias /static "@apps@/browser/static"
WSGIScriptAlias / "@apps@/browser/app.py"
<Directory "@apps@/browser">
    Require all granted
</Directory>
"""
ADMIN = """
Alias /static/admin/ "@django@/contrib/admin/static/admin/"
<Location "/static">
    SetHandler None
</Location>
"""


def check(browser, url, protocol, scheme):
    document = browser.open(url, "--ignore-certificate-errors")
    assert browser.text(document, "answer") == f"Übergröße-日本.txt 100000 {scheme}"
    assert browser.text(document, "protocol") == protocol
    assert browser.text(document, "colour") == "rgb(1, 2, 3)"


def test_a_page_with_script_style_sheet_and_upload(browser, serve):
    server = serve(PAGE, env={"LANG": "C", "LC_ALL": "C"})
    check(browser, server.url + "/", "http/1.1", "http")


@pytest.mark.parametrize(("protocols", "expected"), [("h2 http/1.1", "h2"), ("http/1.1", "http/1.1")])
def test_the_same_page_over_tls(browser, serve, tmp_path, protocols, expected):
    Authority(tmp_path / "tls").issue("site", "127.0.0.1")
    server = serve(f"""
        SSLEngine On
        SSLCertificateFile "{tmp_path}/tls/site.crt"
        SSLCertificateKeyFile "{tmp_path}/tls/site.key"
        Protocols {protocols}
        """ + PAGE)
    check(browser, f"https://127.0.0.1:{server.port}/", expected, "https")


def test_the_admin_has_its_scripts(browser, serve):
    server = serve(django.location("django_forms", "forms_site.settings") + ADMIN)
    document = browser.open(server.url + "/admin/login/")
    assert "Django administration" in document
    # Written by the admin's theme.js, so the script was found, had the right type, and ran.
    assert 'data-theme="' in document
