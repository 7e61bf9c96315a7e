//! Which file a path leads to, and what is refused.

use super::*;

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
