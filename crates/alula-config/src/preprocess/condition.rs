//! `<IfModule>`, `<IfDefine>`, `<IfVersion>`, `<IfFile>`, `<IfDirective>`, `<IfSection>`.

use super::Reader;
use crate::directives;
use crate::syntax::lexer::Word;
use regex::Regex;

/// The httpd version `<IfVersion>` is told: the one whose behaviour is followed.
const VERSION: [u32; 3] = [2, 4, 71];

impl Reader<'_> {
    /// Whether a condition holds; `None` when the section is no condition.
    pub(super) fn condition(&mut self, name: &Word, words: &[Word]) -> Option<bool> {
        let kind = name.text.to_ascii_lowercase();
        let test: fn(&Self, &str) -> bool = match kind.as_str() {
            "ifmodule" => |reader, name| reader.modules.has(name),
            "ifdefine" => |reader, name| reader.variables.is_defined(name),
            "iffile" => |reader, path| reader.files.exists(&reader.server_root.join(path)),
            "ifdirective" => |_, name| directives::find(name).is_some(),
            "ifsection" => {
                |_, name| directives::find_section(name.trim_matches(['<', '>'])).is_some()
            }
            "ifversion" => return Some(self.if_version(name, words)),
            _ => return None,
        };
        let [argument] = words else {
            self.error(name.span, format!("<{}> takes one argument", name.text));
            return Some(false);
        };
        Some(match argument.text.strip_prefix('!') {
            Some(negated) => !test(self, negated),
            None => test(self, &argument.text),
        })
    }

    /// `[[!]operator] version`; without an operator, equality.
    fn if_version(&mut self, name: &Word, words: &[Word]) -> bool {
        let (operator, version) = match words {
            [version] => ("=", version),
            [operator, version] => (operator.text.as_str(), version),
            _ => {
                self.error(name.span, "<IfVersion> takes one or two arguments".into());
                return false;
            }
        };
        let (negated, operator) = match operator.strip_prefix('!') {
            Some(rest) => (true, if rest.is_empty() { "=" } else { rest }),
            None => (false, operator),
        };
        match compare(operator, &version.text) {
            Ok(holds) => holds != negated,
            Err(message) => {
                self.error(version.span, format!("<IfVersion>: {message}"));
                false
            }
        }
    }
}

fn compare(operator: &str, version: &str) -> Result<bool, String> {
    let slashed = version
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    if operator == "~" || slashed.is_some() {
        let ours = VERSION.map(|part| part.to_string()).join(".");
        let pattern = slashed.unwrap_or(version);
        let regex =
            Regex::new(pattern).map_err(|_| format!("{pattern:?} is not a regular expression"))?;
        return Ok(regex.is_match(&ours));
    }
    let mut theirs = [0u32; 3];
    let parts: Vec<&str> = version.split('.').collect();
    for (at, part) in parts.iter().enumerate() {
        let number = part.parse().ok().filter(|_| at < theirs.len());
        theirs[at.min(2)] = number.ok_or_else(|| format!("{version:?} is not a version"))?;
    }
    Ok(match operator {
        "=" | "==" => VERSION == theirs,
        ">" => VERSION > theirs,
        ">=" => VERSION >= theirs,
        "<" => VERSION < theirs,
        "<=" => VERSION <= theirs,
        _ => return Err(format!("unrecognized operator {operator:?}")),
    })
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn versions_compare_part_by_part() {
        for (operator, version, expected) in [
            (">=", "2.4", true),
            ("<", "2.3", false),
            (">", "2.10", false),
            ("~", "^2\\.4", true),
            ("=", "/^2.2/", false),
            ("=", "2.4", false),
        ] {
            assert_eq!(
                compare(operator, version),
                Ok(expected),
                "{operator} {version}"
            );
        }
        assert!(compare(">=", "two").is_err());
        assert!(compare("<>", "2").is_err());
    }
}
