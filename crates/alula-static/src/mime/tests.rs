//! Names, and what they say about their files.

use super::*;
use alula_config::site::HandlerChoice;

#[track_caller]
fn check(mime: &Mime, name: &str, expected: Option<&str>) {
    let found = mime.of(&Path::new("/srv/x.y").join(name)).content_type;
    let found = found.as_ref().map(|value| value.to_str().expect("text"));
    assert_eq!(found, expected, "{name}");
}

fn plain() -> Mime {
    Mime::new(Arc::default(), Arc::default(), None)
}

/// Each line is what an extension says: kind, value, extension.
fn with(lines: &[(&str, &str, &str)], default_charset: Option<&str>) -> Mime {
    let mut settings = FileSettings::default();
    for (kind, value, extension) in lines {
        let said = settings.extensions.entry((*extension).to_owned());
        let said = said.or_default();
        let value = Some(Switched::On((*value).to_owned()));
        match *kind {
            "type" => said.media_type = value,
            "encoding" => said.encoding = value,
            "language" => said.language = value,
            "charset" => said.charset = value,
            _ => said.handler = Some(Switched::On(HandlerChoice::Python)),
        }
    }
    let table = [("xyz".to_owned(), "text/x-table".to_owned())];
    Mime::new(
        settings.into(),
        Arc::new(table.into()),
        default_charset.map(str::to_owned),
    )
}

#[test]
fn goes_by_extension() {
    let mime = plain();
    let check = |name, expected| check(&mime, name, expected);
    check("a.html", Some("text/html"));
    check("a.HTML", Some("text/html"));
    check("site.min.css", Some("text/css"));
    check("a.js", Some("text/javascript"));
    check("a.json", Some("application/json"));
    check("a.svg", Some("image/svg+xml"));
    check("a.woff2", Some("font/woff2"));
    check("a.tar.gz", Some("application/gzip"));
    check("a.html.bak~", Some("text/html"));
    check("é.png", Some("image/png"));
    check("a", None);
    check("html", None);
    check(".html", None);
    check(".hidden.html", Some("text/html"));
    check("a.", None);
    check("a.unknownext", None);
}

#[test]
fn heeds_the_configuration() {
    let added = [
        ("type", "text/x-mine", "css"),
        ("type", "text/plain", "md"),
        ("charset", "koi8-r", "ru"),
    ];
    let mime = with(&added, Some("utf-8"));
    check(&mime, "a.CSS", Some("text/x-mine"));
    check(&mime, "a.md", Some("text/plain;charset=utf-8"));
    check(&mime, "a.html", Some("text/html;charset=utf-8"));
    check(&mime, "a.html.ru", Some("text/html;charset=koi8-r"));
    check(&mime, "a.js", Some("text/javascript"));
    check(&mime, "a.xyz", Some("text/x-table"));
}

#[test]
fn a_forced_type_is_for_all() {
    let settings = FileSettings {
        forced_type: Some(Switched::On("image/gif".to_owned())),
        ..FileSettings::default()
    };
    let forced = Mime::new(settings.into(), Arc::default(), None);
    check(&forced, "a.css", Some("image/gif"));
    check(&forced, "a", Some("image/gif"));
}

#[test]
fn extensions_add_up() {
    let mime = with(
        &[
            ("encoding", "gzip", "gz"),
            ("encoding", "br", "br"),
            ("language", "en", "en"),
            ("language", "fr", "fr"),
            ("type", "application/x-tgz", "tgz"),
        ],
        None,
    );
    let check = |name: &str, content_type: &str, encoding: &str, language: &str| {
        let found = mime.of(Path::new(name));
        let text = |value: &Option<HeaderValue>| {
            value.as_ref().map_or(String::new(), |value| {
                value.to_str().expect("text").to_owned()
            })
        };
        let found = [&found.content_type, &found.encoding, &found.language].map(text);
        assert_eq!(found, [content_type, encoding, language], "{name}");
    };
    check("a.js.gz", "text/javascript", "gzip", "");
    check("a.gz.js", "text/javascript", "gzip", "");
    check("a.html.br.gz", "text/html", "br, gzip", "");
    check("a.gz", "", "gzip", "");
    check("a.tgz", "application/x-tgz", "", "");
    check("a.en.html", "text/html", "", "en");
    check("a.html.en.fr", "text/html", "", "en, fr");
}

#[test]
fn a_handler_may_be_named() {
    let mime = with(&[("handler", "", "py")], None);
    assert!(mime.names_handler(Path::new("/x/a.py")));
    assert!(mime.names_handler(Path::new("/x/a.PY.html")));
    assert!(!mime.names_handler(Path::new("/x.py/a.html")));
    assert!(!mime.names_handler(Path::new("/x/py")));
}
