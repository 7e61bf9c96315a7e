//! What is said about a file: methods, conditions, ranges, tags.

use super::*;

#[test]
fn sends_a_file_with_all_that_is_known_about_it() {
    let site = Site::new();
    let got = site.get("/site.css", &[]);
    got.has(200, CSS.as_bytes());
    assert_eq!(got.field("content-type"), "text/css");
    assert_eq!(got.field("content-length"), "22");
    assert_eq!(got.field("last-modified"), CSS_DATE);
    assert_eq!(got.field("etag"), CSS_TAG);
    assert_eq!(got.field("accept-ranges"), "bytes");

    let nothing = site.get("/nothing", &[]);
    nothing.has(200, b"");
    assert_eq!(nothing.field("content-length"), "0");
    assert!(!nothing.headers.contains_key("content-type"));

    let large_file = site.get("/large.bin", &[]);
    large_file.has(200, &large());
    assert_eq!(large_file.field("content-length"), "1000003");
}

#[test]
fn head_has_the_fields_and_no_content() {
    let site = Site::new();
    for path in ["/site.css", "/large.bin"] {
        let head = site.send(Ask {
            method: "HEAD",
            path,
            fields: &[("range", "bytes=0-1")],
        });
        head.has(200, b"");
        assert_eq!(head.headers, site.get(path, &[]).headers);
    }
}

#[test]
fn other_methods() {
    let site = Site::new();
    for (method, status) in [
        ("OPTIONS", 200),
        ("POST", 405),
        ("PUT", 405),
        ("DELETE", 405),
        ("BREW", 405),
    ] {
        for path in ["/site.css", "/none", "/docs"] {
            let got = site.send(Ask {
                method,
                path,
                fields: &[],
            });
            assert_eq!(got.status, status, "{method}");
            assert_eq!(got.field("allow"), "GET, HEAD, OPTIONS");
        }
    }
}

#[test]
fn conditions() {
    let site = Site::new();
    let check = |field: (&str, &str), status: u16| {
        let got = site.get("/site.css", &[field]);
        assert_eq!(got.status, status, "{field:?}");
        if status == 304 {
            got.has(304, b"");
            assert_eq!(got.headers.keys().collect::<Vec<_>>(), ["etag"]);
            assert_eq!(got.field("etag"), CSS_TAG);
        }
    };
    check(("if-none-match", CSS_TAG), 304);
    check(("if-none-match", "\"x\""), 200);
    check(("if-modified-since", CSS_DATE), 304);
    check(("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT"), 200);
    check(("if-match", "\"x\""), 412);
    check(("if-match", CSS_TAG), 200);
    check(
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT"),
        412,
    );
}

#[test]
fn ranges() {
    let site = Site::new();
    let large = large();
    let check = |path: &str, range: &str, expected: &[u8], content_range: &str| {
        let got = site.get(path, &[("range", range)]);
        got.has(206, expected);
        assert_eq!(got.field("content-range"), content_range);
        assert_eq!(got.field("content-length"), expected.len().to_string());
        assert!(!got.field("etag").is_empty());
    };
    check("/site.css", "bytes=0-3", b"body", "bytes 0-3/22");
    check("/site.css", "bytes=-2", b"}\n", "bytes 20-21/22");
    check(
        "/large.bin",
        "bytes=999999-",
        &large[999_999..],
        "bytes 999999-1000002/1000003",
    );
    check(
        "/large.bin",
        "bytes=1-900000",
        &large[1..=900_000],
        "bytes 1-900000/1000003",
    );

    let past = site.get("/site.css", &[("range", "bytes=22-")]);
    assert_eq!(
        (past.status, past.field("content-range")),
        (416, "bytes */22")
    );
    let range = ("range", "bytes=0-3");
    site.get("/site.css", &[range, ("if-range", CSS_TAG)])
        .has(206, b"body");
    site.get("/site.css", &[range, ("if-range", CSS_DATE)])
        .has(206, b"body");
    site.get("/site.css", &[range, ("if-range", "\"x\"")])
        .has(200, CSS.as_bytes());
    assert_eq!(
        site.get("/site.css", &[range, ("if-none-match", CSS_TAG)])
            .status,
        304
    );
}

#[test]
fn several_parts_come_as_one_message() {
    let site = Site::new();
    let got = site.get("/site.css", &[("range", "bytes=0-3,-2,100-")]);
    assert_eq!(got.status, 206);
    let media_type = got.field("content-type").to_owned();
    let boundary = media_type.strip_prefix("multipart/byteranges; boundary=");
    let boundary = boundary.expect("a boundary");
    let content = String::from_utf8(got.content.expect("complete")).expect("text");
    assert_eq!(got.promised, Some(content.len() as u64));
    assert_eq!(
        content,
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/css\r\nContent-Range: bytes 0-3/22\r\n\r\nbody\
             \r\n--{boundary}\r\nContent-Type: text/css\r\nContent-Range: bytes 20-21/22\r\n\r\n}}\n\
             \r\n--{boundary}--\r\n"
        )
    );
    let got = site.get("/large.bin", &[("range", "bytes=1-200000,500000-700000")]);
    let content = got.content.expect("complete");
    assert_eq!(got.promised, Some(content.len() as u64));
    let whole = large();
    for part in [&whole[1..=200_000], &whole[500_000..=700_000]] {
        assert!(content.windows(part.len()).any(|window| window == part));
    }
}

#[test]
fn a_young_file_has_a_weak_tag() {
    let site = Site::new();
    fs::write(site.file("young.txt"), "young").expect("a file");
    let got = site.get("/young.txt", &[]);
    assert!(
        got.field("etag").starts_with("W/\"5-"),
        "{}",
        got.field("etag")
    );
    let tag = got.field("etag").to_owned();
    assert_eq!(
        site.get("/young.txt", &[("if-none-match", &tag)]).status,
        304
    );
    assert_eq!(
        site.get("/young.txt", &[("range", "bytes=0-1"), ("if-range", &tag)])
            .status,
        200
    );
}

#[test]
fn a_tag_has_the_facts_it_is_told() {
    let tagged = |parts| {
        Site::with(|settings| {
            settings.files = Arc::new(FileSettings {
                etag: Some(EtagChange::Replace(parts)),
                ..FileSettings::default()
            });
        })
    };
    let none = tagged(EtagParts::NONE).get("/site.css", &[]);
    assert_eq!((none.status, none.field("etag")), (200, ""));
    let size = EtagParts {
        size: true,
        ..EtagParts::NONE
    };
    assert_eq!(tagged(size).get("/site.css", &[]).field("etag"), "\"16\"");
}

#[test]
fn names_with_a_hash_are_for_ever_and_others_are_asked_for_again() {
    let site = Site::with(|settings| {
        let caching = Caching::new(["site.css".to_owned()]);
        settings.caching = Some(Arc::new(caching));
    });
    let check = |path: &str, fields: &[(&str, &str)], expected: Option<&str>| {
        let got = site.send(Ask {
            method: "GET",
            path,
            fields,
        });
        let said = got.headers.get(http::header::CACHE_CONTROL);
        let said = said.map(|value| value.to_str().expect("text"));
        assert_eq!(said, expected, "{path} {fields:?}");
    };
    let for_ever = Some("public, max-age=31536000, immutable");
    check("/site.css", &[], for_ever);
    check("/site.css", &[("If-None-Match", CSS_TAG)], for_ever);
    check("/site.css", &[("Range", "bytes=0-1")], for_ever);
    check("/site.css", &[("Range", "bytes=99-")], None);
    check("/site.css", &[("If-Match", "\"x\"")], None);
    check("/large.bin", &[], Some("no-cache"));
    check("/missing", &[], None);
}
