//! Who may see what: `Require`, its sections, and the methods they are for.
//!
//! Nothing here is ever ignored: what cannot be honoured is an error.

use super::expressions::condition_of;
use super::network::network;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope, SectionKind};
use crate::site::{Access, Limited, Merging, Methods, Requirement};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Require", args: Arity::at_least(1),
        syntax: "[not] all granted | all denied | ip address ... | local | ssl | ssl-verify-client | method name ... | env variable ... | expr expression | valid-user | user name ... | group name ...",
        contexts: Contexts::SECTIONS, default: "all granted", apply: Apply::Run(require),
        doc: "Who may pass. Of several in one section one suffices, unless `<RequireAll>` or `<RequireNone>` is around them; a section's own \
              replace those it inherits (see `AuthMerging`). An address may be partial (`10.1`), or a network (`10.1.0.0/16`, \
              `10.1.0.0/255.255.0.0`). `not` stands inside `<RequireAll>` only. A variable is one that is set before access is checked (`SetEnvIf`); \
              `SetEnv` comes later. `ssl` is a request over TLS, `ssl-verify-client` one with a client's certificate. Users need `AuthType Basic`, groups `AuthGroupFile`.",
    },
    Entry {
        name: "AuthMerging", args: Arity::exactly(1), syntax: "Off | And | Or", contexts: Contexts::SECTIONS,
        default: "Off", apply: Apply::Run(auth_merging),
        doc: "How a section's `Require` lines go with the inherited ones: they replace them, both must let a client pass, or one of the two. \
              `Off` in a section without `Require` drops what was inherited.",
    },
];

fn require(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let kind = args.first();
    let negated = kind.text.eq_ignore_ascii_case("not");
    let words = &args.words[usize::from(negated)..];
    let Some((kind, rest)) = words.split_first() else {
        return Err(Problem::at(kind, "requires something after \"not\""));
    };
    let requirement = requirement(kind, rest)?;
    if let Requirement::Env(names) = &requirement {
        // Whether something sets them is known at the end.
        let required = (names.clone(), kind.span);
        scope.draft.required_variables.push(required);
    }
    if negated {
        if scope.groups.last() != Some(&SectionKind::RequireAll) {
            let around = around(scope);
            let message = format!("\"not\" has no effect in {around}");
            let hint = "<RequireAll> around it, together with Require all granted";
            return Err(Problem::at(args.first(), message).hint(hint));
        }
        add(scope, Requirement::Not(Box::new(requirement)));
    } else {
        add(scope, requirement);
    }
    Ok(())
}

fn requirement(kind: &Word, rest: &[Word]) -> Result<Requirement, Problem> {
    let name = kind.text.to_ascii_lowercase();
    let texts = || rest.iter().map(|word| word.text.clone()).collect();
    Ok(match name.as_str() {
        "all" => match rest {
            [word] if word.text.eq_ignore_ascii_case("granted") => Requirement::Granted,
            [word] if word.text.eq_ignore_ascii_case("denied") => Requirement::Denied,
            _ => {
                let message = "takes \"granted\" or \"denied\" after \"all\"";
                return Err(Problem::at(kind, message));
            }
        },
        "local" if rest.is_empty() => Requirement::Local,
        "ssl" if rest.is_empty() => Requirement::Secure,
        "ssl-verify-client" if rest.is_empty() => Requirement::Certified,
        "local" | "ssl" | "ssl-verify-client" => {
            return Err(Problem::at(kind, format!("takes nothing after {name:?}")));
        }
        "ip" | "method" | "env" | "user" | "group" | "wsgi-group" if rest.is_empty() => {
            let what = match name.as_str() {
                "ip" => "an address",
                "method" => "a method",
                "user" | "group" | "wsgi-group" => "a name",
                _ => "a variable",
            };
            return Err(Problem::at(kind, format!("requires {what} after {name:?}")));
        }
        "ip" => Requirement::Ip(rest.iter().map(network).collect::<Result<_, _>>()?),
        "method" => Requirement::Method(rest.iter().map(method).collect::<Result<_, _>>()?),
        "env" => Requirement::Env(texts()),
        "valid-user" => Requirement::ValidUser,
        "user" => Requirement::User(texts()),
        "group" | "wsgi-group" => Requirement::Group(texts()),
        "expr" if rest.is_empty() => {
            return Err(Problem::at(kind, "requires an expression after \"expr\""));
        }
        "expr" => Requirement::Expression(condition_of(rest)?),
        "host" | "forward-dns" => {
            let message = format!("host names are never looked up, so {name:?} cannot be decided");
            return Err(Problem::at(kind, message).hint("Require ip with an address or network"));
        }
        "file-owner" | "file-group" | "ldap-user" | "ldap-group" | "dbm-group" => {
            return Err(Problem::not_yet(kind));
        }
        _ => {
            let message = format!("unknown authorization provider {name:?}");
            return Err(Problem::at(kind, message));
        }
    })
}

fn auth_merging(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let merging = match args.text().to_ascii_lowercase().as_str() {
        "off" => Merging::Off,
        "and" => Merging::And,
        "or" => Merging::Or,
        _ => return Err(Problem::at(args.first(), "must be Off, And or Or")),
    };
    scope.settings().auth_merging = Some(merging);
    Ok(())
}

/// Adds a requirement to the innermost `<Require...>` section, or to the section around.
fn add(scope: &mut Scope, requirement: Requirement) {
    let limited = Limited {
        methods: scope.limit.clone(),
        rule: requirement,
    };
    if let Some(group) = scope.requirements.last_mut() {
        group.push(limited);
        return;
    }
    match &mut scope.settings().access {
        Some(Access::Any(requirements)) => requirements.push(limited),
        access => *access = Some(Access::Any(vec![limited])),
    }
}

fn around(scope: &Scope) -> &'static str {
    match scope.groups.last() {
        Some(SectionKind::RequireAll) => "<RequireAll>",
        Some(SectionKind::RequireNone) => "<RequireNone>",
        // Without a section around, one of the lines suffices.
        _ => "<RequireAny>",
    }
}

/// `<RequireAll>`, `<RequireAny>`, `<RequireNone>`: `inside` reads what stands in it.
pub(super) fn group(
    scope: &mut Scope,
    kind: SectionKind,
    args: &Args,
    inside: impl FnOnce(&mut Scope),
) -> Result<(), Problem> {
    scope.groups.push(kind);
    scope.requirements.push(Vec::new());
    let errors = scope.errors();
    inside(scope);
    scope.groups.pop();
    let requirements = scope.requirements.pop().unwrap_or_default();
    if let Some(word) = args.words.first() {
        return Err(Problem::at(word, "takes no arguments"));
    }
    if scope.errors() > errors {
        // What is missing may be what was wrong.
        return Ok(());
    }
    if requirements.is_empty() {
        return Err(Problem::new("holds no Require"));
    }
    if requirements
        .iter()
        .all(|limited| limited.rule.is_negative())
    {
        // httpd's AH01624.
        let hint = "Require all granted beside them";
        return Err(
            Problem::new("holds only negative requirements, which let nobody pass").hint(hint),
        );
    }
    let made = match kind {
        SectionKind::RequireAll => Requirement::All(requirements),
        SectionKind::RequireNone => Requirement::None(requirements),
        _ => Requirement::Any(requirements),
    };
    if made.is_negative() && scope.groups.last() != Some(&SectionKind::RequireAll) {
        let message = format!("has no effect in {}", around(scope));
        let hint = "<RequireAll> around it, together with Require all granted";
        return Err(Problem::new(message).hint(hint));
    }
    add(scope, made);
    Ok(())
}

/// `<Limit>` and `<LimitExcept>`: access rules inside count for some methods only.
pub(super) fn limit(
    scope: &mut Scope,
    except: bool,
    args: &Args,
    inside: impl FnOnce(&mut Scope),
) -> Result<(), Problem> {
    let methods = methods(scope, except, args);
    let (methods, problem) = match methods {
        Ok(methods) => (methods, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let methods = if except {
        Methods::Except(methods)
    } else {
        Methods::Only(methods)
    };
    let outer = scope.limit.replace(methods);
    inside(scope);
    scope.limit = outer;
    problem.map_or(Ok(()), Err)
}

fn methods(scope: &mut Scope, except: bool, args: &Args) -> Result<Vec<String>, Problem> {
    if scope.limit.is_some() {
        return Err(Problem::new("cannot stand inside <Limit> or <LimitExcept>"));
    }
    if args.words.is_empty() {
        return Err(Problem::new("requires additional arguments"));
    }
    for word in args.words {
        if word.text == "TRACE" && !except {
            return Err(Problem::at(word, "TRACE is always refused"));
        }
        if let Err(problem) = method(word) {
            // httpd lets a configuration name methods of its own.
            let hint = problem.hint.as_deref();
            let message = format!("{}: {}", args.name.text, problem.message);
            scope.warn(word.span, message, hint);
        }
    }
    Ok(args.words.iter().map(|word| word.text.clone()).collect())
}

/// A method; their names are case-sensitive (RFC 9110 section 9.1).
fn method(word: &Word) -> Result<String, Problem> {
    const KNOWN: &[&str] = &[
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "CONNECT",
        "OPTIONS",
        "TRACE",
        "PATCH",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
        "REPORT",
        "CHECKOUT",
        "CHECKIN",
        "UNCHECKOUT",
        "UPDATE",
        "LABEL",
        "MERGE",
        "MKWORKSPACE",
        "MKACTIVITY",
        "BASELINE-CONTROL",
        "VERSION-CONTROL",
        "SEARCH",
    ];
    if KNOWN.contains(&word.text.as_str()) {
        return Ok(word.text.clone());
    }
    let problem = Problem::at(word, format!("unknown method {:?}", word.text));
    let upper = word.text.to_ascii_uppercase();
    Err(if KNOWN.contains(&upper.as_str()) {
        problem.hint(format!("did you mean {upper}?"))
    } else {
        problem
    })
}
