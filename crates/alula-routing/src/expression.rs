//! What an expression says of a request (httpd's `util_expr_eval.c`).
//!
//! `$1` is what a group of the last regular expression matched, in the order conditions are looked at.

use crate::asked::{self, Facts};
use alula_config::expression::{Condition, Function, Moment, Name, Order, Piece, Test, Value};
use alula_config::glob;
use alula_config::pattern::Groups;
use alula_config::site::IpNetwork;
use alula_http::path;
use base64::Engine;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::net::IpAddr;

/// The most that `file()` reads, in bytes, as in httpd.
const FILE_BYTES_MAX: u64 = 10 << 20;

/// Looks at one request.
#[derive(Debug)]
pub(crate) struct Evaluation<'f> {
    facts: &'f Facts<'f>,
    /// The text of the last match, and its groups.
    matched: Option<(Vec<u8>, Groups)>,
}

impl Facts<'_> {
    /// Whether a condition is true.
    pub fn holds(&self, condition: &Condition) -> bool {
        Evaluation::new(self).holds(condition)
    }
}

impl<'f> Evaluation<'f> {
    pub(crate) fn new(facts: &'f Facts<'f>) -> Self {
        Self {
            facts,
            matched: None,
        }
    }

    /// The text of the last match, and its groups.
    pub(crate) fn matched(self) -> Option<(Vec<u8>, Groups)> {
        self.matched
    }

    pub(crate) fn holds(&mut self, condition: &Condition) -> bool {
        match condition {
            Condition::Constant(holds) => *holds,
            Condition::Not(inner) => !self.holds(inner),
            Condition::All(all) => all.iter().all(|inner| self.holds(inner)),
            Condition::Any(any) => any.iter().any(|inner| self.holds(inner)),
            Condition::Text(left, order, right) => fits(
                *order,
                self.text(left).as_ref().cmp(self.text(right).as_ref()),
            ),
            Condition::Number(left, order, right) => {
                let [left, right] = [left, right].map(|value| number(&self.text(value)));
                fits(*order, left.cmp(&right))
            }
            Condition::Found {
                value,
                pattern,
                negated,
            } => {
                let text = self.text(value).into_owned();
                let groups = pattern.captures(&text);
                let found = groups.is_some();
                if let Some(groups) = groups {
                    self.matched = Some((text, groups));
                }
                found != *negated
            }
            Condition::Listed(value, list) => {
                let text = self.text(value).into_owned();
                list.iter().any(|item| *self.text(item) == *text)
            }
            Condition::Test(test, value) => passes(*test, &self.text(value)),
            Condition::InNetwork(value, network) => is_in(&self.text(value), network),
            Condition::Fits {
                value,
                pattern,
                ignores_case,
                is_path,
            } => {
                let [mut text, mut pattern] =
                    [value, pattern].map(|value| self.text(value).into_owned());
                if *ignores_case {
                    text.make_ascii_lowercase();
                    pattern.make_ascii_lowercase();
                }
                glob::fits(&pattern, &text, *is_path)
            }
        }
    }

    pub(crate) fn text(&self, value: &Value) -> Cow<'f, [u8]> {
        match value.0.as_slice() {
            [] => Cow::Borrowed(b""),
            [piece] => self.piece(piece),
            pieces => {
                let mut text = Vec::new();
                for piece in pieces {
                    text.extend_from_slice(&self.piece(piece));
                }
                text.into()
            }
        }
    }

    fn piece(&self, piece: &Piece) -> Cow<'f, [u8]> {
        match piece {
            Piece::Text(text) => text.clone().into_bytes().into(),
            Piece::Named(name) => named(self.facts, name),
            Piece::Group(group) => {
                let matched = self.matched.as_ref();
                let group =
                    matched.and_then(|(text, groups)| groups.get(text, usize::from(*group)));
                group.unwrap_or_default().to_vec().into()
            }
            Piece::Call(function, argument) => self.call(*function, &self.text(argument)),
        }
    }

    fn call(&self, function: Function, argument: &[u8]) -> Cow<'f, [u8]> {
        let facts = self.facts;
        let name = || String::from_utf8_lossy(argument);
        let of_server = || {
            use std::os::unix::ffi::OsStringExt;
            std::env::var_os(&*name()).map(OsStringExt::into_vec)
        };
        let of_request = || {
            facts
                .variable(&name())
                .map(|value| value.as_bytes().to_vec())
        };
        let found = match function {
            Function::RequestHeader => facts.asked.header(&name()),
            Function::ResponseHeader => {
                let response = facts.asked.response;
                response.and_then(|(headers, _)| asked::field(headers, &name()))
            }
            Function::RequestVariable => of_request(),
            Function::ServerVariable => of_server(),
            Function::Variable => of_request().or_else(of_server),
            Function::Note => None,
            Function::ToLower => Some(argument.to_ascii_lowercase()),
            Function::ToUpper => Some(argument.to_ascii_uppercase()),
            Function::Escape => Some(path::encode(argument).into_bytes()),
            Function::Unescape => unescape(argument, true),
            Function::Base64 => {
                let text = base64::engine::general_purpose::STANDARD.encode(argument);
                Some(text.into_bytes())
            }
            Function::Unbase64 => base64::engine::general_purpose::STANDARD
                .decode(argument)
                .ok(),
            Function::Md5 => {
                use md5::Digest as _;
                Some(hexadecimal(&md5::Md5::digest(argument)))
            }
            Function::Sha1 => {
                use sha1::Digest as _;
                Some(hexadecimal(&sha1::Sha1::digest(argument)))
            }
            Function::File => content(argument),
            Function::FileSize => {
                let size = metadata(argument).map_or(0, |metadata| metadata.len());
                Some(size.to_string().into_bytes())
            }
            Function::FileModified => {
                use std::os::unix::fs::MetadataExt;
                let modified = metadata(argument).map_or(0, |metadata| metadata.mtime());
                Some(modified.to_string().into_bytes())
            }
        };
        found.unwrap_or_default().into()
    }
}

/// What a variable says.
pub(crate) fn named<'f>(facts: &Facts<'f>, name: &Name) -> Cow<'f, [u8]> {
    let asked = facts.asked;
    let peer = asked.peer;
    let text = |text: &'static str| Cow::Borrowed(text.as_bytes());
    let made = |text: String| Cow::Owned(text.into_bytes());
    let switch = |on: bool| text(if on { "on" } else { "off" });
    match name {
        Name::Header(header) if header.field() == "host" => {
            asked.authority().unwrap_or_default().into()
        }
        Name::Header(header) => asked.header(header.field()).unwrap_or_default().into(),
        // The response's, whatever CGI calls so.
        Name::ContentType => {
            let response = asked.response;
            let content_type =
                response.and_then(|(headers, _)| asked::field(headers, "content-type"));
            content_type.unwrap_or_default().into()
        }
        Name::RequestMethod => asked.method.as_bytes().into(),
        Name::RequestScheme => text(peer.scheme.as_str()),
        Name::RequestUri => facts.path.into(),
        Name::RequestFilename => match facts.file {
            Some(_) => facts.split_file().0.into(),
            None => facts.path.into(),
        },
        Name::PathInfo => facts.split_file().1.into(),
        Name::RequestStatus => match asked.response {
            Some((_, status)) => made(status.as_u16().to_string()),
            None => text(""),
        },
        Name::RequestLogId => made(format!("{:x}", asked.id)),
        Name::RemoteAddress => made(peer.remote.ip().to_canonical().to_string()),
        Name::RemotePort => made(peer.remote.port().to_string()),
        Name::RemoteUser => asked.user.unwrap_or_default().as_bytes().into(),
        Name::AuthType if asked.user.is_some() => text("Basic"),
        Name::ServerAddress => made(peer.local.ip().to_canonical().to_string()),
        Name::ServerAdmin => facts.identity.admin.as_bytes().into(),
        Name::ServerName => asked.server_name(facts.identity).into(),
        Name::ServerPort => made(asked.server_port(facts.identity).to_string()),
        Name::ServerProtocol => text(asked.protocol()),
        Name::ServerSoftware => text(concat!("Alula/", env!("CARGO_PKG_VERSION"))),
        Name::TheRequest => {
            let line = [
                asked.method.as_bytes(),
                asked.target,
                asked.protocol().as_bytes(),
            ];
            line.join(&b' ').into()
        }
        Name::QueryString => facts.query.unwrap_or_default().into(),
        Name::DocumentRoot => facts.identity.root().unwrap_or_default().into(),
        Name::Handler => text(facts.handler),
        Name::LastModified => modified(facts).map_or(text(""), made),
        Name::Https => switch(peer.scheme == alula_http::Scheme::Https),
        Name::Ipv6 => switch(peer.remote.ip().to_canonical().is_ipv6()),
        Name::IsSubrequest => text("false"),
        // httpd 2.4's.
        Name::ApiVersion => text("20120211:141"),
        Name::Time(moment) => made(time(asked, *moment)),
        Name::Tls(name) => {
            let session = peer.tls().and_then(|session| session.variable(name));
            session.map_or(text(""), |value| made(value.to_string()))
        }
        Name::AuthType | Name::Empty => text(""),
    }
}

fn modified(facts: &Facts) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    facts.file?;
    let seconds = metadata(facts.split_file().0)?.mtime();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(seconds).ok()?);
    let value = alula_http::date::format(time);
    value.to_str().ok().map(str::to_owned)
}

fn time(asked: &asked::Asked, moment: Moment) -> String {
    let now = (asked.now)();
    match moment {
        Moment::Year => format!("{:04}", now.year),
        Moment::Month => format!("{:02}", now.month),
        Moment::Day => format!("{:02}", now.day),
        Moment::Hour => format!("{:02}", now.hour),
        Moment::Minute => format!("{:02}", now.minute),
        Moment::Second => format!("{:02}", now.second),
        Moment::Weekday => now.weekday.to_string(),
        Moment::All => format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}",
            now.year, now.month, now.day, now.hour, now.minute, now.second
        ),
    }
}

pub(crate) fn fits(order: Order, found: Ordering) -> bool {
    match order {
        Order::Equal => found.is_eq(),
        Order::NotEqual => found.is_ne(),
        Order::Less => found.is_lt(),
        Order::LessOrEqual => found.is_le(),
        Order::Greater => found.is_gt(),
        Order::GreaterOrEqual => found.is_ge(),
    }
}

/// The number at the start of a text, as C's `atoi` reads it.
pub(crate) fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0i64, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    if negative { -number } else { number }
}

/// A test of one text.
pub(crate) fn passes(test: Test, text: &[u8]) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let of_file = |fits: fn(&std::fs::Metadata) -> bool| metadata(text).as_ref().is_some_and(fits);
    match test {
        Test::NotEmpty => !text.is_empty(),
        Test::Empty => text.is_empty(),
        Test::True => {
            let lower = text.to_ascii_lowercase();
            !matches!(lower.as_slice(), b"" | b"0" | b"off" | b"false" | b"no")
        }
        Test::Exists => of_file(|_| true),
        Test::IsFile => of_file(std::fs::Metadata::is_file),
        Test::IsDirectory => of_file(std::fs::Metadata::is_dir),
        Test::HasSize => of_file(|file| file.is_file() && file.len() > 0),
        Test::IsSymlink => {
            let metadata = file_path(text).and_then(|path| path.symlink_metadata().ok());
            metadata.is_some_and(|metadata| metadata.is_symlink())
        }
        Test::IsExecutable => of_file(|file| file.permissions().mode() & 0o111 != 0),
    }
}

fn file_path(text: &[u8]) -> Option<&std::path::Path> {
    use std::os::unix::ffi::OsStrExt;
    let known = !text.is_empty() && !text.contains(&0);
    known.then(|| std::path::Path::new(std::ffi::OsStr::from_bytes(text)))
}

fn metadata(text: &[u8]) -> Option<std::fs::Metadata> {
    file_path(text)?.metadata().ok()
}

fn content(text: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read;
    if !metadata(text)?.is_file() {
        return None;
    }
    let file = std::fs::File::open(file_path(text)?).ok()?;
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut content).ok()?;
    Some(content)
}

fn is_in(text: &[u8], network: &IpNetwork) -> bool {
    let address = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<IpAddr>().ok());
    address.is_some_and(|address| network.contains(address.to_canonical()))
}

/// Percent signs undone; nothing for a text that is none, or would hold a NUL (`ap_unescape_url`). An encoded slash stays
/// encoded, or makes it nothing as well.
pub(crate) fn unescape(text: &[u8], keeps_slashes: bool) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        if digits.contains(&b'+') || byte == 0 || (byte == b'/' && !keeps_slashes) {
            return None;
        }
        match byte {
            b'/' => plain.extend_from_slice(&[b'%', digits[0], digits[1]]),
            byte => plain.push(byte),
        }
        rest = after;
    }
    Some(plain)
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text.into_bytes()
}
