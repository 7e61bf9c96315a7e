//! Real files, real requests: what goes in is a request line's worth, what comes out a status, fields and content.

use super::*;
use crate::finder::LOOK_COUNTS_FOR;
use alula_config::site::{
    EtagChange, EtagParts, ExtensionSettings, FileSettings, HandlerChoice, Switched,
};
use alula_http::{BodyError, Lead, Peer, Scheme};
use http::{HeaderName, Version};
use http_body::Body as _;
use rustix::fs::{Advice, CWD, FileType, Timespec, Timestamps};
use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::pin::Pin;

const CSS: &str = "body { color: black }\n";
const CSS_TAG: &str = "\"16-2c9253ff64b60\"";
const CSS_DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LARGE_BYTES: usize = 1_000_003;

/// A tree of files, served.
struct Site {
    top: tempfile::TempDir,
    files: Files,
}

/// What a test says about a request.
#[derive(Clone, Copy)]
struct Ask<'a> {
    method: &'a str,
    path: &'a str,
    fields: &'a [(&'a str, &'a str)],
}

/// What came back.
struct Got {
    status: u16,
    headers: HeaderMap,
    content: Result<Vec<u8>, BodyError>,
    promised: Option<u64>,
}

impl Site {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut FilesSettings)) -> Self {
        let top = tempfile::tempdir().expect("a directory");
        let root = top.path().join("root");
        fs::create_dir_all(root.join("empty")).expect("directories");
        fs::create_dir_all(root.join("docs/a b\\é")).expect("directories");
        fs::create_dir_all(root.join("odd/index.html")).expect("directories");
        fs::write(root.join("site.css"), CSS).expect("a file");
        fs::write(root.join("docs/index.html"), "<p>docs</p>").expect("a file");
        fs::write(root.join("nothing"), "").expect("a file");
        fs::write(root.join("large.bin"), large()).expect("a file");
        fs::write(top.path().join("secret"), "secret").expect("a file");
        symlink("site.css", root.join("link.css")).expect("a link");
        rustix::fs::mknodat(CWD, root.join("fifo"), FileType::Fifo, 0o644.into(), 0)
            .expect("a FIFO");
        for name in ["site.css", "docs/index.html", "nothing", "large.bin"] {
            set_modified(&root.join(name));
        }
        let mut settings = FilesSettings::new(root);
        change(&mut settings);
        Self {
            top,
            files: Files::new(settings),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.top.path().join("root").join(name)
    }

    /// Maps as `Alias / root/` does.
    fn request(&self, ask: Ask<'_>) -> Request {
        let target = Bytes::copy_from_slice(ask.path.as_bytes());
        let decoded = path::decode(&target).expect("a good target");
        let merged = path::merge_slashes(&decoded.path).into_owned();
        let relative = String::from_utf8(merged).expect("UTF-8");
        let headers = ask.fields.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        });
        let address = ([127, 0, 0, 1], 80).into();
        Request {
            method: ask.method.parse().expect("a method"),
            version: Version::HTTP_11,
            target,
            path: decoded.path,
            query: decoded.query,
            headers: headers.collect(),
            file: Some(self.file(&relative[1..])),
            script_name_len: 0,
            user: None,
            variables: None,
            peer: Arc::new(Peer::new(address, address, Scheme::Http)),
            body: Body::empty(),
            id: 1,
        }
    }

    fn send(&self, ask: Ask<'_>) -> Got {
        // What was seen of the disk before counts no more.
        let start = std::time::Instant::now();
        while start.elapsed() <= LOOK_COUNTS_FOR {
            std::hint::spin_loop();
        }
        run(async {
            let mut request = self.request(ask);
            // What the server does with a lead.
            if let Some(file) = &request.file
                && let Some(lead) = self.files.lead(&request.path, file)
            {
                match lead.await {
                    Lead::Here => {}
                    Lead::To(path) => {
                        let relative = String::from_utf8(path[1..].to_vec()).expect("UTF-8");
                        request.file = Some(self.file(&relative));
                        request.path = path;
                    }
                    Lead::Named { file, path_len } => {
                        let text = format!("{} {path_len}", file.display());
                        return Got::receive(http::Response::new(Body::from(text))).await;
                    }
                    Lead::Answered(response) => return Got::receive(response).await,
                }
            }
            let response = self.files.handle(request).await;
            Got::receive(response).await
        })
    }

    fn get(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let method = "GET";
        self.send(Ask {
            method,
            path,
            fields,
        })
    }

    #[track_caller]
    fn check(&self, path: &str, status: u16) {
        assert_eq!(self.get(path, &[]).status, status, "{path}");
    }
}

impl Got {
    async fn receive(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let promised = body.len();
        let mut body = match body {
            Body::Part(part) => sending::part_body(part),
            other => other,
        };
        let mut content = Ok(Vec::new());
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            match (frame, &mut content) {
                (Ok(frame), Ok(all)) => {
                    all.extend_from_slice(&frame.into_data().expect("data"));
                }
                (Err(error), _) => content = Err(error),
                (Ok(_), Err(_)) => panic!("content after an error"),
            }
        }
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            content,
            promised,
        }
    }

    fn field(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    #[track_caller]
    fn has(&self, status: u16, content: &[u8]) {
        assert_eq!(self.status, status);
        let found = self.content.as_deref().expect("content to its end");
        assert_eq!(found.len(), content.len());
        assert!(found == content, "other content of the same length");
        assert_eq!(self.promised, Some(content.len() as u64));
    }
}

/// Content in which no two places look alike.
fn large() -> Vec<u8> {
    let mut state = 1_u32;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    bytes.take(LARGE_BYTES).collect()
}

/// Half a second past [`CSS_DATE`].
fn set_modified(file: &Path) {
    let time = Timespec {
        tv_sec: 784_111_777,
        tv_nsec: 500_000_000,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, file, &times, rustix::fs::AtFlags::empty()).expect("times");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

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
fn statuses_are_httpds() {
    let site = Site::new();
    site.check("/none", 404);
    site.check("/none/", 404);
    site.check("/none/a", 404);
    site.check("/site.css/", 404);
    site.check("/site.css/info", 404);
    site.check("/site\\css", 404);
    site.check("/fifo", 403);
    site.check("/link.css", 200);
    site.check("//site.css", 200);
    site.check("/empty/", 403);
    site.check("/odd/", 403);
    site.check(&format!("/{}", "n".repeat(256)), 403);
    site.check(&format!("/{}", "n/".repeat(4000)), 403);
}

#[test]
fn what_permissions_forbid_is_403() {
    let site = Site::new();
    if rustix::process::geteuid().is_root() {
        // Root may read everything; what is left to see is that the error would be understood.
        assert_eq!(
            Refusal::from(rustix::io::Errno::ACCESS),
            Refusal::Permission
        );
        return;
    }
    site.check("/site.css", 200);
    let none = fs::Permissions::from_mode(0o000);
    fs::set_permissions(site.file("site.css"), none.clone()).expect("permissions");
    site.check("/site.css", 403);
    fs::set_permissions(site.file("docs/index.html"), none).expect("permissions");
    site.check("/docs/", 403);
}

#[test]
fn a_mapping_outside_of_the_root_is_refused() {
    let site = Site::new();
    for file in [
        "root/../secret",
        "secret",
        "root-secret",
        "root/docs/../site.css",
    ] {
        let mut request = site.request(Ask {
            method: "GET",
            path: "/",
            fields: &[],
        });
        request.path = Bytes::from_static(b"/a");
        request.file = Some(site.top.path().join(file));
        let response = run(site.files.handle(request));
        assert_eq!(response.status(), 403, "{file}");
    }
    let mut request = site.request(Ask {
        method: "GET",
        path: "/",
        fields: &[],
    });
    request.file = None;
    assert_eq!(run(site.files.handle(request)).status(), 404);
}

#[test]
fn links_may_be_forbidden() {
    let site = Site::with(|settings| settings.symlinks = Symlinks::Never);
    site.check("/link.css", 403);
    site.check("/site.css", 200);
    site.check("/site.css", 200);
    fs::remove_file(site.file("site.css")).expect("removed");
    symlink("docs/index.html", site.file("site.css")).expect("a link");
    site.check("/site.css", 403);
}

#[test]
fn trees_that_share_a_cache_share_no_permission() {
    let open = Site::new();
    open.get("/link.css", &[]).has(200, CSS.as_bytes());
    let mut settings = FilesSettings::new(open.file("docs"));
    settings.cache = open.files.shared.finder.cache.clone();
    settings.files = Arc::new(FileSettings {
        forced_type: Some(Switched::On("text/plain".to_owned())),
        ..FileSettings::default()
    });
    let narrow = Files::new(settings);
    let ask = |path| {
        run(narrow.handle(open.request(Ask {
            method: "GET",
            path,
            fields: &[],
        })))
    };
    assert_eq!(ask("/link.css").status(), 403);
    assert_eq!(
        open.get("/docs/index.html", &[]).field("content-type"),
        "text/html"
    );
    assert_eq!(
        ask("/docs/index.html").headers()["content-type"],
        "text/plain"
    );
}

#[test]
fn directories_have_an_index_and_a_slash() {
    let site = Site::with(|settings| {
        settings.directory_index = vec!["none.html".into(), "index.html".into()];
    });
    let index = site.get("/docs/", &[]);
    index.has(200, b"<p>docs</p>");
    assert_eq!(index.field("content-type"), "text/html");

    let check = |path: &str, location: &str| {
        let got = site.get(path, &[]);
        assert_eq!(
            (got.status, got.field("location")),
            (301, location),
            "{path}"
        );
    };
    check("/docs", "/docs/");
    check("/docs?a=%20b&c", "/docs/?a=%20b&c");
    check("/docs/a%20b%5C%c3%a9", "/docs/a%20b%5C%C3%A9/");
    check("//docs", "/docs/");
    check("/%2Fdocs", "/docs/");

    let none = Site::with(|settings| settings.directory_index = Vec::new());
    none.check("/docs/", 403);
}

#[test]
fn a_path_with_a_slash_may_be_mapped_to_a_file() {
    let site = Site::new();
    let mut request = site.request(Ask {
        method: "GET",
        path: "/",
        fields: &[],
    });
    request.file = Some(site.file("site.css"));
    assert_eq!(run(site.files.handle(request)).status(), 200);
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
fn a_change_is_seen_by_the_next_request() {
    let site = Site::new();
    let file = site.file("site.css");
    for round in 0..200 {
        let text = format!("{round:03}");
        if round % 2 == 0 {
            fs::write(&file, &text).expect("written over");
        } else {
            fs::write(site.file("new"), &text).expect("written");
            fs::rename(site.file("new"), &file).expect("renamed over");
        }
        site.get("/site.css", &[]).has(200, text.as_bytes());
        site.get("/site.css", &[]).has(200, text.as_bytes());
    }
    fs::remove_file(&file).expect("removed");
    site.check("/site.css", 404);
}

#[test]
fn a_settled_file_is_kept_and_noticed_when_it_changes() {
    let site = Site::new();
    // The change time cannot be set, so wait until the file is a second old.
    let kept = || site.files.shared.finder.cache.get(&site.file("site.css"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while kept().is_none() {
        site.get("/site.css", &[]).has(200, CSS.as_bytes());
        assert!(std::time::Instant::now() < deadline, "never kept");
        std::thread::yield_now();
    }
    site.get("/site.css", &[("range", "bytes=0-3")])
        .has(206, b"body");
    let other = CSS.to_uppercase();
    fs::write(site.file("site.css"), &other).expect("written over");
    set_modified(&site.file("site.css"));
    site.get("/site.css", &[]).has(200, other.as_bytes());
    fs::remove_file(site.file("site.css")).expect("removed");
    site.check("/site.css", 404);
    assert!(kept().is_none());
}

#[test]
fn what_is_not_in_memory_is_read_elsewhere() {
    let site = Site::new();
    let large = large();
    for (name, content) in [("large.bin", &large[..]), ("site.css", CSS.as_bytes())] {
        let file = fs::File::open(site.file(name)).expect("opened");
        file.sync_all().expect("on disk");
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).expect("forgotten");
        site.get(&format!("/{name}"), &[]).has(200, content);
    }
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_sent_ends_with_an_error() {
    let site = Site::new();
    run(async {
        let ask = Ask {
            method: "GET",
            path: "/large.bin",
            fields: &[],
        };
        let response = site.files.handle(site.request(ask)).await;
        assert_eq!(response.status(), 200);
        fs::File::options()
            .write(true)
            .open(site.file("large.bin"))
            .and_then(|file| file.set_len(300_000))
            .expect("made shorter");
        let got = Got::receive(response).await;
        assert!(got.content.is_err());
        assert_eq!(got.promised, Some(LARGE_BYTES as u64));
    });
}

#[test]
fn a_chunks_memory_is_used_again_when_the_engine_has_let_go() {
    let site = Site::new();
    run(async {
        let ask = Ask {
            method: "GET",
            path: "/large.bin",
            fields: &[],
        };
        let body = site.files.handle(site.request(ask)).await.into_body();
        let Body::Part(part) = body else {
            panic!("{body:?}");
        };
        let mut body = sending::part_body(part);
        let mut chunk = async || {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            frame
                .expect("a frame")
                .expect("no error")
                .into_data()
                .expect("data")
        };
        let first = chunk().await;
        let second = chunk().await;
        assert_ne!(first.as_ptr(), second.as_ptr(), "both are in use");
        assert_eq!(first, large()[..first.len()]);
        let place = first.as_ptr();
        drop(first);
        assert_eq!(chunk().await.as_ptr(), place);
    });
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
fn a_name_may_say_who_answers() {
    let site = Site::with(|settings| {
        let python = ExtensionSettings {
            handler: Some(Switched::On(HandlerChoice::Python)),
            ..ExtensionSettings::default()
        };
        settings.files = Arc::new(FileSettings {
            extensions: [("py".to_owned(), python)].into(),
            ..FileSettings::default()
        });
    });
    fs::write(site.file("docs/a.py"), "").expect("a file");
    let check = |path: &str, expected: Option<usize>| {
        let expected = expected.map_or(String::new(), |length| {
            format!("{} {length}", site.file("docs/a.py").display())
        });
        let found = site.get(path, &[]).content.expect("complete");
        let found = String::from_utf8(found).unwrap_or_default();
        match expected.is_empty() {
            true => assert!(!found.contains("a.py "), "{path}: {found}"),
            false => assert_eq!(found, expected, "{path}"),
        }
    };
    check("/docs/a.py", Some(10));
    check("/docs/a.py/", Some(10));
    check("/docs/a.py/more/of/it", Some(10));
    check("/docs//a.py//more", Some(11));
    check("/docs/index.html", None);
    check("/docs/none.py", None);
    check("/docs/", None);
}

#[test]
fn what_is_missing_may_have_a_fallback() {
    let site = Site::with(|settings| {
        settings.files = Arc::new(FileSettings {
            fallback: Some(Switched::On("/site.css".to_owned())),
            ..FileSettings::default()
        });
    });
    for path in ["/none", "/none/", "/empty/"] {
        site.get(path, &[]).has(200, CSS.as_bytes());
    }
    site.get("/docs/", &[]).has(200, b"<p>docs</p>");
    site.check("/fifo", 403);
    site.check("/empty", 301);
}

#[test]
fn an_index_that_is_refused_is_not_passed_over() {
    let site = Site::with(|settings| settings.symlinks = Symlinks::Never);
    symlink("../site.css", site.file("empty/index.html")).expect("a link");
    site.check("/empty/", 403);
    site.check("/none/", 404);
}
