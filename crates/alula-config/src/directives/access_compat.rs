//! Who may see what, as httpd 2.2 said it: `Order`, `Allow`, `Deny`, `Satisfy`.
//!
//! A section that has any of them inherits none of them, `Satisfy` included: httpd does not merge them.

use super::network::network;
use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{AllowRule, Limited, Order, OrderRules, Satisfy};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Order", args: Arity::exactly(1), syntax: "deny,allow | allow,deny", contexts: Contexts::SECTIONS,
        default: "deny,allow", apply: Apply::Run(order),
        doc: "httpd 2.2: which of `Allow` and `Deny` has the last word. `allow,deny` refuses whom neither names. Where `Require` is written as \
              well, both must let a client pass.",
    },
    Entry {
        name: "Allow", args: Arity::at_least(2), syntax: "from all | from address ... | from env=[!]variable ...", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(allow),
        doc: "httpd 2.2: whom to let pass. A variable is one that is set before access is checked; `SetEnv` comes later.",
    },
    Entry {
        name: "Deny", args: Arity::at_least(2), syntax: "from all | from address ... | from env=[!]variable ...", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(deny),
        doc: "httpd 2.2: whom to refuse. A variable is one that is set before access is checked; `SetEnv` comes later.",
    },
    Entry {
        name: "Satisfy", args: Arity::exactly(1), syntax: "All | Any", contexts: Contexts::SECTIONS,
        default: "All", apply: Apply::Run(satisfy),
        doc: "httpd 2.2: whether both `Order`, `Allow`, `Deny` and `Require` must let a client pass, or one of the two suffices. With `Any`, whom `Order` \
              lets pass is not asked for a password.",
    },
];

fn order(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let order = match args.text().to_ascii_lowercase().as_str() {
        "deny,allow" => Order::DenyAllow,
        "allow,deny" | "mutual-failure" => Order::AllowDeny,
        _ => {
            let hint = "one word, without a blank after the comma";
            return Err(Problem::at(args.first(), "must be deny,allow or allow,deny").hint(hint));
        }
    };
    let order = limited(scope, order);
    rules(scope).order.push(order);
    Ok(())
}

fn allow(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let named = from(scope, args)?;
    rules(scope).allow.extend(named);
    Ok(())
}

fn deny(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let named = from(scope, args)?;
    rules(scope).deny.extend(named);
    Ok(())
}

fn satisfy(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let satisfy = match args.text().to_ascii_lowercase().as_str() {
        "all" => Satisfy::All,
        "any" => Satisfy::Any,
        _ => return Err(Problem::at(args.first(), "must be All or Any")),
    };
    let satisfy = limited(scope, satisfy);
    rules(scope).satisfy.push(satisfy);
    Ok(())
}

fn rules<'s>(scope: &'s mut Scope) -> &'s mut OrderRules {
    scope
        .settings()
        .order
        .get_or_insert_with(OrderRules::default)
}

/// A rule for the methods of the `<Limit>` around, if there is one.
fn limited<T>(scope: &Scope, rule: T) -> Limited<T> {
    Limited {
        methods: scope.limit.clone(),
        rule,
    }
}

fn from(scope: &Scope, args: &Args) -> Result<Vec<Limited<AllowRule>>, Problem> {
    if !args.first().text.eq_ignore_ascii_case("from") {
        return Err(Problem::at(args.first(), "must be followed by \"from\""));
    }
    let rules = args.words[1..]
        .iter()
        .map(|word| Ok(limited(scope, rule(word)?)));
    rules.collect()
}

fn rule(word: &Word) -> Result<AllowRule, Problem> {
    let text = word.text.to_ascii_lowercase();
    if text.starts_with("env=") {
        let name = &word.text["env=".len()..];
        let (negated, name) = match name.strip_prefix('!') {
            Some(name) => (true, name),
            None => (false, name),
        };
        if name.is_empty() {
            return Err(Problem::at(word, "requires a variable after \"env=\""));
        }
        let name = name.to_owned();
        return Ok(AllowRule::Env { name, negated });
    }
    if text == "all" {
        return Ok(AllowRule::All);
    }
    if text.contains(|c: char| c.is_ascii_alphabetic()) && !text.contains(':') {
        let message = format!("host names are never looked up, so {text:?} cannot be compared");
        return Err(Problem::at(word, message).hint("write an IP address or network"));
    }
    network(word).map(AllowRule::Ip)
}
