//! mod_rewrite: rules that change where a URL leads.

mod flags;
mod text;

use super::expressions::condition;
use super::proxy_url::check_rule;
use super::scope::PlaceOfRule;
use super::sections::wrong_regex;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::expression::{Order, Test};
use crate::pattern::Pattern;
use crate::site::{
    RewriteCondition, RewriteMap, RewriteOptions, RewritePiece, RewriteRule, RewriteTest,
    RewriteText, Rewriting, SectionPattern,
};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "RewriteEngine", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(engine),
        doc: "Whether `RewriteRule`s are tried. Virtual hosts take it from the main server, but not its rules (see `RewriteOptions`).",
    },
    Entry {
        name: "RewriteRule", args: Arity::between(2, 3), syntax: "[!]regex substitution [flags]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(rule),
        doc: "Changes where URLs lead, if a regular expression is found in the path and the `RewriteCond`s before the rule hold. Outside sections \
              the path starts with a slash and rules come before `Redirect` and `Alias`; a result that is no file is looked up below \
              `DocumentRoot`, with `[PT]` it goes through `Alias` and `WSGIScriptAlias` like a URL. In a section the path is that of the \
              file without the section's directory, access has been checked, and the result is asked for like a URL, at most ten times \
              in turn. `-` changes nothing, a whole URL or `[R]` redirects, a `?` replaces the query. `$1`, `%1`, `%{NAME}` and `${map:key}` \
              are filled in. Flags: `B`, `BCTLS`, `BNE`, `BNP`, `C`, `CO`, `DPI`, `E`, `END`, `F`, `G`, `H`, `L`, `N`, `NC`, `NE`, `NS`, \
              `PT`, `QSA`, `QSD`, `QSL`, `R`, `S`, `T`, `UnsafeAllow3F`, `UnsafePrefixStat`.",
    },
    Entry {
        name: "RewriteCond", args: Arity::between(2, 3), syntax: "text test [flags]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(cond),
        doc: "A condition of the next `RewriteRule`: a regular expression found in a text, `=text`, `<text`, `>text`, `-eq` and its kin, `-f`, `-d`, \
              `-s`, `-l` and `-x`, or with `expr` as text an expression. `!` turns it round; flags are `NC`, `OR` and `NV`. In the text \
              `$1` is what the rule's pattern matched, `%1` what the last condition's did, `%{HTTP:name}` a header field, `%{ENV:name}` a variable.",
    },
    Entry {
        name: "RewriteBase", args: Arity::exactly(1), syntax: "url-path", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(base),
        doc: "The URL of the section's directory, for results that are relative. Needed where an `Alias` leads to the directory.",
    },
    Entry {
        name: "RewriteMap", args: Arity::exactly(2), syntax: "name txt:file | rnd:file | int:toupper | int:tolower | int:escape | int:unescape",
        contexts: Contexts::SERVERS, default: "", apply: Apply::Run(map),
        doc: "Gives a name to a map for `${name:key|default}`: a file with lines of a key and a value (`rnd:` takes one of several values, \
              separated by `|`), which is read again when it changes, or a function.",
    },
    Entry {
        name: "RewriteOptions", args: Arity::at_least(1), syntax: "Inherit | InheritBefore | InheritDown | InheritDownBefore | IgnoreInherit | AllowNoSlash | MergeBase | LegacyPrefixDocRoot ...",
        contexts: Contexts::EVERYWHERE, default: "", apply: Apply::Run(options),
        doc: "Whether the rules of the main server, or of the section around, count after or before one's own, and some details.",
    },
];

/// The rewriting of the place a directive stands in.
fn rewriting<'s>(scope: &'s mut Scope) -> &'s mut Rewriting {
    let directory = scope.sections.last().map(|section| {
        let path = match &section.pattern {
            SectionPattern::If { .. } => "*If",
            pattern => pattern.text(),
        };
        format!("{}/", path.trim_end_matches('/'))
    });
    let rewriting = match directory {
        None => scope.server().rewriting.get_or_insert_default(),
        Some(_) => scope.settings().rewriting.get_or_insert_default(),
    };
    rewriting.directory = directory;
    rewriting
}

fn engine(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    rewriting(scope).engine = Some(args.flag()?);
    Ok(())
}

fn base(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if !args.first().text.starts_with('/') {
        return Err(Problem::at(args.first(), "must start with a slash"));
    }
    rewriting(scope).base = Some(args.text());
    Ok(())
}

fn options(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let mut options = RewriteOptions::default();
    for word in args.words {
        match word.text.to_ascii_lowercase().as_str() {
            "inherit" => options.inherit = true,
            "inheritbefore" => options.inherit_before = true,
            "inheritdown" => options.inherit_down = true,
            "inheritdownbefore" => options.inherit_down_before = true,
            "ignoreinherit" => options.ignore_inherit = true,
            "allownoslash" => options.allow_no_slash = true,
            "mergebase" => options.merge_base = true,
            "legacyprefixdocroot" => options.legacy_prefix = true,
            // What they switch off or on is not there to begin with.
            "longurloptimization" | "ignorecontextinfo" | "allowanyuri" => {}
            text if text.starts_with("maxredirects=") => {}
            _ => {
                let message = format!("there is no option {:?}", word.text);
                return Err(Problem::at(word, message).hint("Inherit, InheritBefore, ..."));
            }
        }
    }
    rewriting(scope).options = Some(options);
    Ok(())
}

fn map(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [name, source] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    let (kind, rest) = source.text.split_once(':').unwrap_or(("txt", &source.text));
    let path = || {
        let path = scope.draft.server_root.join(rest);
        match scope.draft.files.exists(&path) {
            true => Ok(path),
            false => Err(Problem::at(source, format!("no such file {path:?}"))),
        }
    };
    let map = match kind.to_ascii_lowercase().as_str() {
        "txt" => RewriteMap::Text(path()?),
        "rnd" => RewriteMap::Random(path()?),
        "int" => match rest.to_ascii_lowercase().as_str() {
            "toupper" => RewriteMap::ToUpper,
            "tolower" => RewriteMap::ToLower,
            "escape" => RewriteMap::Escape,
            "unescape" => RewriteMap::Unescape,
            _ => {
                let message = format!("there is no function {rest:?}");
                let hint = "int:toupper, int:tolower, int:escape or int:unescape";
                return Err(Problem::at(source, message).hint(hint));
            }
        },
        "dbm" | "prg" | "dbd" | "fastdbd" => {
            let message = format!("{kind}: is known to httpd, not supported yet");
            return Err(Problem::at(source, message).hint("a txt: map with the same keys"));
        }
        _ => {
            let message = format!("{kind:?} is no kind of map");
            return Err(Problem::at(source, message).hint("txt:, rnd: or int:"));
        }
    };
    rewriting(scope).maps.insert(name.text.clone(), map);
    Ok(())
}

fn place(scope: &Scope) -> PlaceOfRule {
    let section = scope.sections.last().map(|section| section.origin.clone());
    (scope.server, scope.sections.len(), section)
}

fn cond(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [subject, test, ..] = args.words else {
        return Err(Problem::new("takes 2-3 arguments"));
    };
    let flags = flags::condition(args.words.get(2))?;
    let expression = subject.text.eq_ignore_ascii_case("expr");
    let (negated, test) = match (expression, test.text.strip_prefix('!')) {
        (false, Some(rest)) => (true, (test, rest)),
        _ => (false, (test, test.text.as_str())),
    };
    let test = match expression {
        true => RewriteTest::Expression(condition(test.0)?),
        false => self::test(test.0, test.1, flags.ignores_case)?,
    };
    let made = RewriteCondition {
        subject: match expression {
            true => RewriteText::default(),
            false => text::parse(scope, subject, &subject.text)?,
        },
        test,
        negated,
        ignores_case: flags.ignores_case,
        or_next: flags.or_next,
    };
    let place = place(scope);
    let waiting = &mut scope.rewrite_conditions;
    if waiting.first().is_some_and(|(known, _)| *known != place) {
        waiting.clear();
    }
    waiting.push((place, made));
    Ok(())
}

fn test(word: &Word, text: &str, ignores_case: bool) -> Result<RewriteTest, Problem> {
    let number = |order, rest: &str| RewriteTest::Number(order, text::number(rest));
    let same = |rest: &str| {
        let rest = if rest == "\"\"" { "" } else { rest };
        rest.to_owned()
    };
    Ok(match text {
        "-f" => RewriteTest::File(Test::IsFile),
        "-d" => RewriteTest::File(Test::IsDirectory),
        "-s" => RewriteTest::File(Test::HasSize),
        "-l" | "-L" | "-h" => RewriteTest::File(Test::IsSymlink),
        "-x" => RewriteTest::File(Test::IsExecutable),
        "-U" | "-F" => return Err(Problem::not_yet(word)),
        _ => {
            if let Some((kind, rest)) = text.split_at_checked(3) {
                match kind {
                    "-eq" => return Ok(number(Order::Equal, rest)),
                    "-ne" => return Ok(number(Order::NotEqual, rest)),
                    "-lt" => return Ok(number(Order::Less, rest)),
                    "-le" => return Ok(number(Order::LessOrEqual, rest)),
                    "-gt" => return Ok(number(Order::Greater, rest)),
                    "-ge" => return Ok(number(Order::GreaterOrEqual, rest)),
                    _ => {}
                }
            }
            if let Some(rest) = text.strip_prefix(">=") {
                RewriteTest::GreaterOrEqual(same(rest))
            } else if let Some(rest) = text.strip_prefix("<=") {
                RewriteTest::LessOrEqual(same(rest))
            } else if let Some(rest) = text.strip_prefix('>') {
                RewriteTest::Greater(same(rest))
            } else if let Some(rest) = text.strip_prefix('<') {
                RewriteTest::Less(same(rest))
            } else if let Some(rest) = text.strip_prefix('=') {
                RewriteTest::Equal(same(rest))
            } else {
                RewriteTest::Pattern(pattern(word, text, ignores_case)?)
            }
        }
    })
}

fn pattern(word: &Word, text: &str, ignores_case: bool) -> Result<Pattern, Problem> {
    let pattern = match ignores_case {
        true => Pattern::ignoring_case(text),
        false => Pattern::new(text),
    };
    pattern.map_err(|error| wrong_regex(word, &error))
}

fn rule(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [from, to, ..] = args.words else {
        return Err(Problem::new("takes 2-3 arguments"));
    };
    let here = place(scope);
    let waiting = std::mem::take(&mut scope.rewrite_conditions);
    let conditions = waiting.into_iter().filter(|(place, _)| *place == here);
    let conditions = conditions.map(|(_, condition)| condition).collect();
    let (flags, ignores_case) = flags::rule(scope, args.words.get(2))?;
    let (negated, text) = match from.text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, from.text.as_str()),
    };
    let pattern = pattern(from, text, ignores_case)?;
    // A status that is no redirection says all; the URL does not change.
    let says_all = flags
        .status
        .is_some_and(|status| !(300..400).contains(&status));
    let made = match to.text.as_str() {
        "-" => None,
        _ if says_all => None,
        text => Some(text::parse(scope, to, text)?),
    };
    if flags.proxy
        && let Some(RewriteText(pieces)) = &made
        && let Some(RewritePiece::Text(start)) = pieces.first()
    {
        check_rule(to, start)?;
    }
    let rule = RewriteRule {
        conditions,
        pattern,
        negated,
        to: made,
        flags,
        origin: scope.origin(args.name.span),
    };
    rewriting(scope).rules.push(rule);
    Ok(())
}
