//! PCRE's spelling to `regex`'s, where the same characters mean different things.
//!
//! - `{` that starts no repetition is a character in PCRE, an error here
//! - `[` inside a class is a character in PCRE, a class inside the class here; so are `&&`, `--` and `~~`
//! - `\h`, `\H`, `\R`, `\Z`, `\_`, `\<` and `\>` are known to PCRE only, or mean something else here

use std::iter::Peekable;
use std::str::Chars;

/// The pattern, so spelt that it means here what it means in PCRE.
pub(super) fn from_pcre(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut out, &mut rest, false),
            '[' => class(&mut out, &mut rest),
            '{' if !is_repetition(&rest.clone().collect::<String>()) => out.push_str(r"\{"),
            '{' => {
                out.push('{');
                for c in rest.by_ref() {
                    out.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
            '}' => out.push_str(r"\}"),
            c => out.push(c),
        }
    }
    out
}

fn escape(out: &mut String, rest: &mut Peekable<Chars>, in_class: bool) {
    match rest.next() {
        Some('h') if in_class => out.push_str(r" \t"),
        Some('h') => out.push_str(r"[ \t]"),
        Some('H') if !in_class => out.push_str(r"[^ \t]"),
        Some('R') if !in_class => out.push_str(r"(?:\r\n|\n|\x0b|\f|\r)"),
        Some('Z') if !in_class => out.push_str(r"\n?\z"),
        // Without a meaning of their own in PCRE.
        Some(
            c @ ('<' | '>' | '_' | '"' | '\'' | ' ' | '=' | ':' | ',' | ';' | '@' | '!' | '`'),
        ) => {
            out.push(c);
        }
        Some(c @ ('x' | 'p' | 'P' | 'g' | 'k' | 'u')) => {
            out.extend(['\\', c]);
            if rest.peek() == Some(&'{') {
                for c in rest.by_ref() {
                    out.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
        }
        Some(c) => out.extend(['\\', c]),
        None => out.push('\\'),
    }
}

fn class(out: &mut String, rest: &mut Peekable<Chars>) {
    out.push('[');
    out.extend(rest.next_if_eq(&'^'));
    // First in a class, a bracket is a character.
    if rest.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '\\' => escape(out, rest, true),
            '[' if rest.peek() == Some(&':') && is_named(&rest.clone().collect::<String>()) => {
                out.push('[');
                for c in rest.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' | '&' | '~' => out.extend(['\\', c]),
            '-' if rest.next_if_eq(&'-').is_some() => out.push_str(r"-\-"),
            c => out.push(c),
        }
    }
}

/// `3}`, `3,}`, `3,5}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else {
        return false;
    };
    let (from, to) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !from.is_empty() && digits(from) && digits(to)
}

/// `:alpha:]`.
fn is_named(rest: &str) -> bool {
    let name = rest
        .strip_prefix(':')
        .and_then(|rest| rest.split_once(":]"));
    name.is_some_and(|(name, _)| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'^')
    })
}

#[cfg(test)]
mod tests {
    use super::super::Pattern;

    #[test]
    fn pcre_spelling_means_what_it_means_in_pcre() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let compiled = Pattern::new(pattern).expect("it compiles");
            assert_eq!(
                compiled.is_match(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        };
        check("^a{2}$", "aa", true);
        check("^a{b}$", "a{b}", true);
        check("^%{HOST}$", "%{HOST}", true);
        check(r"^[^[]+$", "a[", false);
        check(r"^[[:digit:]]+$", "12", true);
        check(r"^[a&&b]+$", "a&b", true);
        check(r"^[+--]+$", "+,-", true);
        check(r"^[]a]+$", "]a", true);
        check(r"^a\hb$", "a\tb", true);
        check(r"^\/a\-b\_c\=\<$", "/a-b_c=<", true);
        check(r"^\x{41}\x42$", "AB", true);
        check(r"^a\Z", "a\n", true);
    }
}
