//! What a back end says about itself, in terms of this server: `ProxyPassReverse` and its kin.

use alula_config::site::ProxySettings;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Applies the rules to a response's fields.
pub(crate) fn apply(headers: &mut HeaderMap, settings: &ProxySettings) {
    if !settings.reverse.is_empty() {
        let uri = HeaderName::from_static("uri");
        for name in [header::LOCATION, header::CONTENT_LOCATION, uri] {
            let value = headers.get(&name).and_then(|value| value.to_str().ok());
            let mapped = value.and_then(|value| location(value, &settings.reverse));
            if let Some(mapped) = mapped.and_then(|mapped| HeaderValue::try_from(mapped).ok()) {
                headers.insert(name, mapped);
            }
        }
    }
    if settings.cookie_domains.is_empty() && settings.cookie_paths.is_empty() {
        return;
    }
    if let header::Entry::Occupied(mut cookies) = headers.entry(header::SET_COOKIE) {
        for value in cookies.iter_mut() {
            let mapped = value
                .to_str()
                .ok()
                .map(|cookie| self::cookie(cookie, settings));
            if let Some(mapped) = mapped.and_then(|mapped| HeaderValue::try_from(mapped).ok()) {
                *value = mapped;
            }
        }
    }
}

/// A URL of the back end as a path here, by the first rule that fits; `None` if none does.
///
/// httpd makes a whole URL of it; a path cannot name the wrong scheme or host.
fn location(url: &str, rules: &[(String, String)]) -> Option<String> {
    rules.iter().find_map(|(here, there)| {
        // A rule may name the path alone.
        let looked_at = match there.starts_with('/') {
            true => path_of(url),
            false => url,
        };
        let start = looked_at.get(..there.len())?;
        if !start.eq_ignore_ascii_case(there) {
            return None;
        }
        let made = format!("{here}{}", &looked_at[there.len()..]);
        // `//host` would lead to another server.
        Some(match made.starts_with("//") {
            true => format!("/{}", made.trim_start_matches('/')),
            false => made,
        })
    })
}

fn path_of(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else {
        return url;
    };
    rest.find('/').map_or(url, |slash| &rest[slash..])
}

fn cookie(text: &str, settings: &ProxySettings) -> String {
    let attribute = |part: &str| -> Option<String> {
        let (name, value) = part.split_once('=')?;
        let value = value.trim();
        let mapped = match name.trim().to_ascii_lowercase().as_str() {
            "domain" => {
                let mut rules = settings.cookie_domains.iter();
                let found = rules.find(|(there, _)| there.eq_ignore_ascii_case(value));
                found.map(|(_, here)| here.clone())
            }
            // The whole of it, however much has fitted, as in httpd.
            "path" => {
                let mut rules = settings.cookie_paths.iter();
                let found = rules.find(|(there, _)| value.starts_with(there.as_str()));
                found.map(|(_, here)| here.clone())
            }
            _ => None,
        };
        mapped.map(|mapped| format!("{name}={mapped}"))
    };
    let mut parts = text.split(';');
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        made.push(';');
        made.push_str(&attribute(part).unwrap_or_else(|| part.to_owned()));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::{cookie, location};
    use alula_config::site::ProxySettings;

    #[test]
    fn locations_lead_here() {
        let rules = [
            ("/app/".to_owned(), "http://h:8001/".to_owned()),
            ("/".to_owned(), "http://other/".to_owned()),
            ("/by/path".to_owned(), "/inner".to_owned()),
        ];
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(location(url, &rules).as_deref(), expected, "{url}");
        };
        check("http://h:8001/a?b", Some("/app/a?b"));
        check("HTTP://H:8001/a", Some("/app/a"));
        check("http://elsewhere/a", None);
        check("/a", None);
        check("http://other//evil.example/", Some("/evil.example/"));
        check("http://elsewhere/inner/x", Some("/by/path/x"));
        check("/inner/x", Some("/by/path/x"));
    }

    #[test]
    fn cookies_are_for_this_server() {
        let settings = ProxySettings {
            cookie_domains: vec![("h.internal".to_owned(), "example.org".to_owned())],
            cookie_paths: vec![("/x".to_owned(), "/app".to_owned())],
            ..ProxySettings::default()
        };
        let check = |text: &str, expected: &str| {
            assert_eq!(cookie(text, &settings), expected, "{text}");
        };
        check(
            "a=b; Path=/x/y; Domain=H.internal; Secure",
            "a=b; Path=/app; Domain=example.org; Secure",
        );
        check("path=/; HttpOnly", "path=/; HttpOnly");
        check("a=b;domain=elsewhere", "a=b;domain=elsewhere");
    }
}
