//! Shell wildcards: `*`, `?` and `[...]` as fnmatch knows them, on bytes.
//!
//! Two flavours: within a name nothing is special about `/`; in a path no wildcard crosses it.

/// Whether a text holds wildcards.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name fits a pattern. A leading dot must be written.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    fits(pattern.as_bytes(), name.as_bytes(), false)
}

/// Whether a text fits a pattern as a whole. With `path`, wildcards do not cross `/`.
pub fn fits(pattern: &[u8], text: &[u8], path: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stood and how much it has taken: only the last one is ever retried, so this stays quadratic.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match step(&pattern[p..], text[t], path) {
            Step::Star => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Step::Fits(length) => {
                p += length;
                t += 1;
                continue;
            }
            Step::Fails => {}
        }
        match star {
            Some((after, taken)) if !(path && text[taken] == b'/') => {
                star = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

enum Step {
    Star,
    Fits(usize),
    Fails,
}

fn step(pattern: &[u8], c: u8, path: bool) -> Step {
    let slash = path && c == b'/';
    match pattern {
        [] => Step::Fails,
        [b'*', ..] => Step::Star,
        [b'?', ..] if !slash => Step::Fits(1),
        [b'[', rest @ ..] if !slash => match class(rest, c) {
            Some((true, length)) => Step::Fits(length + 1),
            Some((false, _)) => Step::Fails,
            None if c == b'[' => Step::Fits(1),
            None => Step::Fails,
        },
        [b'\\', escaped, ..] if *escaped == c => Step::Fits(2),
        [first, ..] if *first == c => Step::Fits(1),
        _ => Step::Fails,
    }
}

/// Whether `c` is in the class that starts after `[`, and the length through `]`.
fn class(pattern: &[u8], c: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let end = start + 1 + pattern.get(start + 1..)?.iter().position(|&c| c == b']')?;
    let mut set = &pattern[start..end];
    let mut found = false;
    while let [first, rest @ ..] = set {
        if let [b'-', last, rest @ ..] = rest {
            found |= (*first..=*last).contains(&c);
            set = rest;
        } else {
            found |= *first == c;
            set = rest;
        }
    }
    Some((found != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn wildcards_fit_as_in_the_shell() {
        for (pattern, text, path, expected) in [
            ("*.conf", "a.conf", false, true),
            ("*.conf", "a.conf.bak", false, false),
            ("a*b*c", "aXbXbc", false, true),
            ("a?c", "abc", false, true),
            ("a?c", "a/c", true, false),
            ("/home/*/www", "/home/ann/www", true, true),
            ("/home/*/www", "/home/ann/x/www", true, false),
            ("*", "a/b", false, true),
            ("[a-c]x", "bx", false, true),
            ("[!a-c]x", "bx", false, false),
            ("[", "[", false, true),
            ("\\*", "*", false, true),
            ("", "", false, true),
            ("*", "", false, true),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), text.as_bytes(), path),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
