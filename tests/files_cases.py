"""The tree and the requests that Alula, nginx and apache2 are asked side by side, and where they differ on purpose.

A difference is `(method, path, headers, what the other answers, what Alula answers, why)`; the first three are regular
expressions that fit the whole. Both answers are statuses, or the first is what differs beside the status and the second None.
"""
import gzip
import itertools
import os

# Long ago, so that every validator is strong.
MODIFIED = 1_600_000_000
DATE = "Sun, 13 Sep 2020 12:26:40 GMT"
BEFORE = "Sun, 13 Sep 2020 12:26:39 GMT"
AFTER = "Sun, 13 Sep 2020 12:26:41 GMT"

LETTERS = bytes(range(97, 123))


def make_site(site):
    contents = {
        "index.html": b"<p>index</p>\n",
        "a.txt": LETTERS,
        "a b.txt": b"a file with a space\n",
        "\u00fc\u4e16.txt": b"a name in other scripts\n",
        "100%.txt": b"percent\n",
        "empty.txt": b"",
        "none": b"no extension\n",
        "big.bin": bytes(number * 7 % 251 for number in range(300_000)),
        "style.css": b"p { color: red; }\n" * 50,
        "script.js": b"let x = 1;\n" * 50,
        "page.html": b"<p>page</p>\n" * 50,
        "picture.png": b"\x89PNG\r\n\x1a\n",
        "sub/index.html": b"<p>sub</p>\n",
        "sub/b.txt": b"b\n",
        "bare/c.txt": b"c\n",
        ".dot": b"dot\n",
    }
    for name, content in contents.items():
        file = site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if file.suffix in (".css", ".js", ".html") and file.parent == site:
            (site / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    (site / "linked.txt").symlink_to(site / "a.txt")
    for folder, _, files in os.walk(site):
        for name in files:
            os.utime(os.path.join(folder, name), (MODIFIED, MODIFIED))


PATHS = """
/ /index.html /a.txt /a%20b.txt /%C3%BC%E4%B8%96.txt /100%25.txt /empty.txt /none /big.bin /style.css /picture.png /linked.txt /.dot
/sub /sub/ /sub/b.txt /sub/index.html /bare /bare/ /bare/c.txt /missing /missing/ /a.txt/ /a.txt/x /sub/missing
//a.txt ///sub//b.txt /sub/../a.txt /./a.txt /sub/./b.txt /sub/.. /sub/. /../a.txt /%2e%2e/a.txt /sub/%2e%2e/a.txt /.. /...
/%61.txt /a%2Etxt /a.txt%20 /a.txt%00 /%zz /a.txt%3F /a.txt? /a.txt?x=1 /?x /a.txt;v=1 /A.TXT /a.txt%2F /sub%2Fb.txt /sub%2fb.txt
/a+b.txt /%5Ca.txt /sub\\b.txt /style.css.gz /sub?a=%2F /sub/index.html/ /sub/?x=1
""".split()

RANGES = [
    "bytes=0-0", "bytes=0-9", "bytes=5-", "bytes=-5", "bytes=-0", "bytes=25-25", "bytes=25-999", "bytes=26-", "bytes=99-", "bytes=-999",
    "bytes=0-25", "bytes=0-", "bytes=9-5", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,3-4", "bytes=0-1, 3-4", "bytes=0-1,-1", "bytes=3-4,0-1",
    "bytes=0-1,99-", "bytes=99-,98-", "bytes=0-1,", "bytes=,0-1", "lines=0-1", "0-1", "bytes 0-1", "bytes=0-9,2-5", "bytes=0-24,1-25",
    "bytes=18446744073709551615-", "bytes=0-18446744073709551616", "bytes=00-09", "bytes=1-2,4-5,7-8",
]

CONDITIONS = [
    ["If-None-Match: {etag}"], ["If-None-Match: W/{etag}"], ['If-None-Match: "other"'], ["If-None-Match: *"], ['If-None-Match: "a", {etag}'],
    ['If-None-Match: {etag}, "b"'], ["If-Match: {etag}"], ['If-Match: "other"'], ["If-Match: *"], ['If-Match: "a", {etag}'],
    [f"If-Modified-Since: {DATE}"], [f"If-Modified-Since: {BEFORE}"], [f"If-Modified-Since: {AFTER}"], ["If-Modified-Since: yesterday"],
    [f"If-Unmodified-Since: {DATE}"], [f"If-Unmodified-Since: {BEFORE}"], [f"If-Unmodified-Since: {AFTER}"], ["If-Unmodified-Since: 1"],
    ['If-None-Match: "other"', f"If-Modified-Since: {DATE}"], ["If-None-Match: {etag}", f"If-Modified-Since: {BEFORE}"],
    ["If-Match: {etag}", f"If-Unmodified-Since: {BEFORE}"], ["If-Match: {etag}", "If-None-Match: {etag}"],
    ["If-Modified-Since: Sunday, 13-Sep-20 12:26:40 GMT"], ["If-Modified-Since: Sun Sep 13 12:26:40 2020"],
]

RANGE_CONDITIONS = [
    ["If-Range: {etag}"], ['If-Range: "other"'], ["If-Range: W/{etag}"], [f"If-Range: {DATE}"], [f"If-Range: {BEFORE}"], [f"If-Range: {AFTER}"],
    ["If-Range: nonsense"],
]

ENCODINGS = [
    "gzip", "deflate, gzip", "gzip;q=1.0", "gzip;q=0.5", "gzip;q=0", "identity", "*", "GZIP", "x-gzip", "gzip, identity;q=0", "", "gzip;q=0.001",
]

REQUESTS = (
    [("GET", path, []) for path in PATHS]
    + [("HEAD", path, []) for path in PATHS]
    + [("GET", path, [f"Range: {value}"]) for path, value in itertools.product(["/a.txt", "/empty.txt"], RANGES)]
    + [("GET", "/big.bin", [f"Range: bytes={value}"]) for value in ["0-", "100000-299999", "-1", "299999-", "300000-", "0-9,299990-", "65535-65536"]]
    + [("HEAD", "/a.txt", [f"Range: {value}"]) for value in RANGES[:12]]
    + [(method, path, headers) for method, path, headers in itertools.product(["GET", "HEAD"], ["/a.txt", "/big.bin", "/missing", "/sub"], CONDITIONS)]
    + [("GET", "/a.txt", [*headers, f"Range: {value}"]) for headers, value in itertools.product(RANGE_CONDITIONS + CONDITIONS[:18], ["bytes=0-4", "bytes=99-"])]
    + [("GET", path, [f"Accept-Encoding: {value}"]) for path, value in itertools.product(["/style.css", "/script.js", "/page.html", "/a.txt", "/"], ENCODINGS)]
    + [("GET", "/style.css", ["Accept-Encoding: gzip", *headers]) for headers in [["Range: bytes=0-9"], *CONDITIONS[:4], [f"If-Modified-Since: {DATE}"]]]
    + [(method, path, []) for method, path in itertools.product(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"], ["/a.txt", "/missing", "/sub/"])]
)

RANGE_SYNTAX = "a `Range` that is not well formed is passed over (RFC 9110 section 14.2), where nginx answers 416"
LARGE_NUMBERS = "a position is a number of any size: one beyond the end is as far as the file goes"
PRECEDENCE = "an entity tag goes before a date: with `If-None-Match` the field `If-Modified-Since` is not looked at, with `If-Match` not `If-Unmodified-Since` (RFC 9110 section 13.2.2)"
HEAD_RANGES = "`Range` is for GET alone (RFC 9110 section 14.2): a HEAD is answered as without it"
EMPTY_ELEMENTS = "an empty element of a list of ranges is passed over (RFC 9110 section 5.6.1)"
NO_BYTES = "a range of the last 0 bytes has none that could be sent: 416"
BREW = "a method nobody knows is 405 for a file, as any that a file does not have"
POST = "a file takes no POST, there or not: 405"
TRACE = "TRACE is never answered: nothing needs it"

NGINX = [
    ("GET|HEAD", r"/none|/\.dot", "", "type", None, "a file whose type nothing tells has no `Content-Type`, as with httpd; nginx says `text/plain` of all"),
    ("GET|HEAD", r"/style\.css\.gz", "", "type", None, "`.gz` has a type of its own"),
    ("GET", r"/script\.js", ".*", "type", None, "JavaScript is `text/javascript` (RFC 9239)"),
    ("GET|HEAD", r"/a\.txt%00", "", 400, 404, "no file has a zero byte in its name: 404, as with httpd"),
    ("GET|HEAD", r"/sub%2[Ff]b\.txt", "", 200, 404, "an encoded slash is no separator (`AllowEncodedSlashes`)"),
    ("GET", r"/.*", r"(?s).*Range: .*", "ranges", None, "`Accept-Ranges` is in every answer with a file's content"),
    ("GET", r"/.*", r"Accept-Encoding: .*", "ranges", None, "a packed file has ranges too"),
    ("GET", r"/style\.css", r"(?s)Accept-Encoding: gzip\nIf-.*", "ranges", None, "a packed file has ranges too"),
    ("GET", r"/style\.css", r"(?s)Accept-Encoding: gzip\nRange: .*", 200, 206, "a packed file has ranges too"),
    ("GET", r"/.*\.txt", r"Range: bytes=(9-5|-|a-b)", 416, 200, RANGE_SYNTAX),
    ("GET", r"/a\.txt", r"Range: bytes=(0-1,|,0-1)", 416, 206, EMPTY_ELEMENTS),
    ("GET", r"/a\.txt", r"Range: bytes=0-18446744073709551616", 416, 206, LARGE_NUMBERS),
    ("GET", r"/a\.txt", r"Range: bytes=0-9,2-5", "range type length content", None, "ranges that overlap are sent as one, as with httpd"),
    ("GET", r"/a\.txt", r"Range: bytes=0-24,1-25", 200, 206, "ranges that overlap are sent as one, as with httpd"),
    ("GET", r"/empty\.txt", r"Range: .*", 416, 200, "an empty file is sent whole: no range of it could be, as with httpd"),
    ("HEAD", r"/a\.txt", r"Range: .*", 206, 200, HEAD_RANGES),
    ("HEAD", r"/a\.txt", r"Range: .*", 416, 200, HEAD_RANGES),
    ("GET|HEAD", r"/.*", r"(?s)If-Unmodified-Since: 1(\n.*)?", 412, 200, "a date that is none is passed over (RFC 9110 section 13.1.4)"),
    ("GET", r"/.*", r"(?s)If-Unmodified-Since: 1\n.*", 412, 206, "a date that is none is passed over (RFC 9110 section 13.1.4)"),
    ("GET", r"/.*", r"(?s)If-Unmodified-Since: 1\n.*", 412, 416, "a date that is none is passed over (RFC 9110 section 13.1.4)"),
    ("GET|HEAD", r"/.*", r"(?s)If-None-Match: \{etag\}\nIf-Modified-Since.*", 200, 304, PRECEDENCE),
    ("GET|HEAD", r"/.*", r"(?s)If-Match: \{etag\}\nIf-Unmodified-Since.*", 412, 200, PRECEDENCE),
    ("GET", r"/.*", r"Accept-Encoding: (\*|x-gzip)", "coding content length", None, "`*` is any coding, and `x-gzip` another name of gzip (RFC 9110 section 12.5.3)"),
    ("POST", r"/missing", "", 404, 405, POST),
    ("OPTIONS", r"/.*", "", 405, 200, "OPTIONS says what a file takes"),
    ("get", r"/.*", "", 400, 405, BREW),
]
APACHE = [
    ("HEAD", r"/empty\.txt", "", "length", None, "a HEAD says the length of an empty file too"),
    ("GET", r"/a\.txt", r"Range: bytes=-0", 200, 416, NO_BYTES),
    ("GET", r"/.*", r"(?s).*Range: .*", "range", None, "a 416 says how long the file is"),
    ("GET", r"/a\.txt", r"Range: bytes=(0-1, 3-4|,0-1)", 200, 206, EMPTY_ELEMENTS + ", and so is a space"),
    ("GET", r"/a\.txt", r"Range: bytes=18446744073709551615-", 200, 416, LARGE_NUMBERS),
    ("GET", r"/a\.txt", r"Range: bytes=0-18446744073709551616", 200, 206, LARGE_NUMBERS),
    ("HEAD", r"/a\.txt", r"Range: .*", 206, 200, HEAD_RANGES),
    ("HEAD", r"/a\.txt", r"Range: .*", 416, 200, HEAD_RANGES),
    ("GET|HEAD", r"/.*", r"(?s)If-None-Match: \{etag\}\nIf-Modified-Since.*", 200, 304, PRECEDENCE),
    ("GET|HEAD", r"/.*", r"(?s)If-Match: \{etag\}\nIf-Unmodified-Since.*", 412, 200, PRECEDENCE),
    ("GET", r"/a\.txt", r"(?s)If-None-Match: W/\{etag\}\nRange: .*", 206, 304, "`If-None-Match` compares weakly, with a `Range` as without (RFC 9110 section 13.1.2)"),
    ("GET", r"/a\.txt", r"(?s)If-None-Match: W/\{etag\}\nRange: .*", 416, 304, "`If-None-Match` compares weakly, with a `Range` as without (RFC 9110 section 13.1.2)"),
    ("POST", r"/.*", "", 200, 405, POST),
    ("POST", r"/.*", "", 404, 405, POST),
    ("OPTIONS", r"/.*", "", "type", None, "OPTIONS has no content, so no type"),
    ("TRACE", r"/.*", "", 200, 405, TRACE),
    ("BREW|get", r"/.*", "", 501, 405, BREW),
]
