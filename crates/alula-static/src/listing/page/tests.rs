//! Pages: their order, what is left out of them, and that no name becomes markup.

use super::*;
use std::time::{Duration, UNIX_EPOCH};

fn page(query: &str, options: &[&str], names: &[(&str, u64)]) -> Page {
    let mut settings = FileSettings::default();
    let flags = options.iter().map(|name| ((*name).to_owned(), true));
    settings.listing.options.flags = flags.collect();
    settings.listing.descriptions = vec![("<b>text</b>".to_owned(), "*.txt".to_owned())];
    let entries = names.iter().map(|(name, size)| Entry {
        name: name.trim_end_matches('/').as_bytes().to_owned(),
        is_directory: name.ends_with('/'),
        size: *size,
        modified: UNIX_EPOCH + Duration::from_secs(1_700_000_000 - size),
    });
    Page {
        header: None,
        readme: None,
        path: Bytes::from_static(b"/a<b/"),
        query: Some(Bytes::copy_from_slice(query.as_bytes())),
        head_only: false,
        settings: Arc::new(settings),
        entries: entries.collect(),
    }
}

fn html(page: &Page, may_see: impl Fn(&[u8]) -> bool) -> String {
    let (head, body) = page.page(&may_see).into_parts();
    let Body::Bytes(html) = body else {
        panic!("{body:?}");
    };
    assert_eq!(head.headers[CONTENT_LENGTH], html.len().to_string());
    String::from_utf8(html.to_vec()).expect("UTF-8")
}

/// The names in their order.
#[track_caller]
fn check(query: &str, options: &[&str], expected: &str) {
    let names = [("b10.txt", 3), ("B2.txt", 2), ("a.css", 1), ("d/", 9)];
    let html = html(&page(query, options, &names), |_| true);
    let links = html.split("href=\"").skip(1);
    let links = links.map(|link| link.split('"').next().unwrap_or_default());
    let links: Vec<_> = links
        .filter(|link| !link.starts_with('?') && *link != "../")
        .collect();
    assert_eq!(links.join(" "), expected, "{query} {options:?}");
}

#[test]
fn names_have_an_order() {
    check("", &[], "B2.txt a.css b10.txt d/");
    check("C=S;O=D", &[], "B2.txt a.css b10.txt d/");
    check("", &["foldersfirst"], "d/ B2.txt a.css b10.txt");
    check("", &["ignorecase"], "a.css b10.txt B2.txt d/");
    check(
        "",
        &["ignorecase", "versionsort"],
        "a.css B2.txt b10.txt d/",
    );
    let fancy = ["fancyindexing"];
    check("C=S;O=A", &fancy, "d/ a.css B2.txt b10.txt");
    check("C=S&O=D", &fancy, "b10.txt B2.txt a.css d/");
    check("C=M;O=A", &fancy, "d/ b10.txt B2.txt a.css");
    check("C=D;O=A", &fancy, "a.css d/ B2.txt b10.txt");
    check("C=X;O=Y;;&P=", &fancy, "B2.txt a.css b10.txt d/");
    check("P=*.txt", &fancy, "B2.txt b10.txt");
    check(
        "P=*.txt;C=N;O=D",
        &["fancyindexing", "ignoreclient"],
        "B2.txt a.css b10.txt d/",
    );
}

#[test]
fn what_the_client_may_not_see_is_not_there() {
    let page = page("", &[], &[("seen", 1), ("secret", 1)]);
    let html = html(&page, |name| name != b"secret");
    assert!(html.contains("seen") && !html.contains("secret"), "{html}");
}

#[test]
fn names_are_escaped() {
    let html = html(
        &page(
            "",
            &["fancyindexing"],
            &[("<i>&\"'.txt", 1), ("a:b?c#d%", 1)],
        ),
        |_| true,
    );
    assert!(html.contains("Index of /a&lt;b<"), "{html}");
    assert!(html.contains(">&lt;i&gt;&amp;&quot;&#39;.txt<"), "{html}");
    assert!(html.contains("href=\"./a:b%3Fc%23d%25\""), "{html}");
    assert!(!html.contains("<i>"), "{html}");
    assert!(html.contains("<b>text</b>"), "{html}");
}

#[test]
fn sizes_are_httpds() {
    for (bytes, expected) in [
        (0, "0"),
        (972, "972"),
        (973, "1.0K"),
        (1024, "1.0K"),
        (10_000, "9.8K"),
        (100_000, "98K"),
        (1_500_000, "1.4M"),
        (u64::MAX, "16E"),
    ] {
        assert_eq!(size(bytes), expected, "{bytes}");
    }
}
