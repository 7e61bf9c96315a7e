//! `$1` in the target of an `AliasMatch` or a `RedirectMatch`: what a group of the regular expression matched.

use alula_config::pattern::Groups;

/// A template with its `$0` to `$9` filled in, each passed through `shape`. A backslash takes the next character as it is
/// (httpd's `ap_pregsub`).
pub(crate) fn expand(
    template: &str,
    searched: &[u8],
    groups: &Groups,
    shape: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(template.len() + 32);
    let mut bytes = template.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let digit = bytes.peek().filter(|digit| digit.is_ascii_digit());
        match (byte, digit) {
            (b'$', Some(digit)) => {
                if let Some(group) = groups.get(searched, usize::from(digit - b'0')) {
                    text.extend(shape(group));
                }
                bytes.next();
            }
            (b'\\', _) => text.extend(bytes.next().or(Some(byte))),
            _ => text.push(byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn groups_are_filled_in() {
        let regex = alula_config::Pattern::new("^/(a+)(b)?/(.*)$").expect("a regular expression");
        let check = |template: &str, path: &str, expected: &str| {
            let groups = regex.captures(path.as_bytes()).expect("it matches");
            let text = expand(template, path.as_bytes(), &groups, <[u8]>::to_vec);
            assert_eq!(text, expected.as_bytes(), "{template} {path}");
        };
        check("/x/$1/$3", "/aa/c", "/x/aa/c");
        check("/x/$2.", "/aa/c", "/x/.");
        check("$0", "/aab/c", "/aab/c");
        check("/x/$9$", "/aa/c", "/x/$");
        check(r"/x/\$1\\", "/aa/c", r"/x/$1\");
    }
}
