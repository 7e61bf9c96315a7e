//! `CO=name:value:domain[:minutes[:path[:secure[:httponly[:samesite]]]]]`.

use http::HeaderValue;
use std::time::{Duration, SystemTime};

/// The `Set-Cookie` field; `None` when name, value or domain is missing.
pub(super) fn field(text: &[u8]) -> Option<HeaderValue> {
    let text = std::str::from_utf8(text).ok()?;
    let (separator, text) = match text.strip_prefix(';') {
        Some(rest) => (';', rest),
        None => (':', text),
    };
    let mut parts = text.split(separator).filter(|part| !part.is_empty());
    let (name, value, domain) = (parts.next()?, parts.next()?, parts.next()?);
    let minutes = parts.next().and_then(|minutes| minutes.parse::<i64>().ok());
    let path = parts.next().unwrap_or("/");
    let mut field = format!("{name}={value}; path={path}; domain={domain}");
    if let Some(minutes) = minutes.filter(|minutes| *minutes != 0) {
        let away = Duration::from_secs(minutes.unsigned_abs().saturating_mul(60));
        let now = SystemTime::now();
        let end = match minutes > 0 {
            true => now.checked_add(away),
            false => now.checked_sub(away),
        };
        let end = alula_http::date::format(end?);
        field.push_str(&format!("; expires={}", end.to_str().ok()?));
    }
    let mut is = |word: &str| {
        let part = parts.next();
        part.is_some_and(|part| {
            part == "1" || part.eq_ignore_ascii_case("true") || part.eq_ignore_ascii_case(word)
        })
    };
    let (secure, http_only) = (is("secure"), is("HttpOnly"));
    if secure {
        field.push_str("; secure");
    }
    if http_only {
        field.push_str("; HttpOnly");
    }
    let same_site = parts.next();
    if let Some(same_site) = same_site.filter(|text| !matches!(*text, "0" | "false")) {
        field.push_str(&format!("; SameSite={same_site}"));
    }
    HeaderValue::try_from(field).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn cookies_have_parts() {
        let check = |text: &str, expected: &str| {
            let field = super::field(text.as_bytes()).expect("a field");
            assert_eq!(field, expected, "{text}");
        };
        check("a:b:.example.org", "a=b; path=/; domain=.example.org");
        check("a:b:x:0:/p", "a=b; path=/p; domain=x");
        check(
            ";a;b:c;x;0;/p;secure;1;Lax",
            "a=b:c; path=/p; domain=x; secure; HttpOnly; SameSite=Lax",
        );
        assert!(super::field(b"a:b").is_none());
        let aged = super::field(b"a:b:x:10").expect("a field");
        assert!(aged.to_str().expect("text").contains("; expires="));
    }
}
