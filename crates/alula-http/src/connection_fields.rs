//! Fields that concern one connection only, because `Connection` names them (RFC 9110 section 7.6.1).

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What a sender cannot take out by naming it: framing, routing, and the protocols to change to.
const NOT_FOR_THE_SENDER: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::UPGRADE];

/// Takes out the fields that `Connection` names. Of `Connection` itself there is left whether the protocol may change.
pub fn take_named(headers: &mut HeaderMap) {
    let values = headers.get_all(header::CONNECTION).iter();
    let values: Vec<HeaderValue> = values.cloned().collect();
    headers.remove(header::CONNECTION);
    let words = values
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    for word in words.map(<[u8]>::trim_ascii) {
        let Ok(name) = HeaderName::from_bytes(word) else {
            continue;
        };
        if name == header::UPGRADE {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        } else if !NOT_FOR_THE_SENDER.contains(&name) {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_goes_but_not_host_and_length() {
        let check = |connection: &[&'static str], left: &[&str]| {
            let mut headers = HeaderMap::new();
            for name in ["x-mine", "host", "content-length", "upgrade", "te"] {
                headers.append(name, HeaderValue::from_static("1"));
            }
            for value in connection {
                headers.append(header::CONNECTION, HeaderValue::from_static(value));
            }
            take_named(&mut headers);
            let mut names: Vec<String> = headers
                .iter()
                .map(|(name, value)| match *name == header::CONNECTION {
                    true => format!("{name}: {}", value.to_str().unwrap_or("?")),
                    false => name.to_string(),
                })
                .collect();
            names.sort();
            assert_eq!(names, left, "{connection:?}");
        };
        check(&[], &["content-length", "host", "te", "upgrade", "x-mine"]);
        check(
            &["X-Mine, keep-alive", "Host,content-length, Connection"],
            &["content-length", "host", "te", "upgrade"],
        );
        check(
            &["upgrade, TE", "x-mine, not a name"],
            &["connection: upgrade", "content-length", "host", "upgrade"],
        );
    }
}
