//! Who may see what: `Require`, and 2.2's `Order`/`Allow`/`Deny`.
//!
//! A requirement that is not met and one that refuses are two things, as in httpd: `not` turns a yes into a no and a no into
//! nothing at all, so that negative lines alone never let anybody pass.

use crate::expression::Condition;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a rule may look at.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The client's address.
    pub client: IpAddr,
    /// Our end of the connection.
    pub local: IpAddr,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Whether the client proved by a certificate who it is.
    pub certified: bool,
    /// The method.
    pub method: &'a str,
    /// Variables that are set before access is checked.
    pub variables: &'a [(String, String)],
    /// Who knows what an expression says of the request; without, none is true.
    pub expressions: Option<&'a dyn Judge>,
    /// Who it comes from, once that is proved.
    pub user: Option<User<'a>>,
    /// What `WSGIAccessScript` says of the client, once it was asked.
    pub script: Option<bool>,
}

/// Knows whether an expression is true of a request.
pub trait Judge: std::fmt::Debug + Sync {
    /// Whether it is, coming from a user.
    fn holds(&self, condition: &Condition, user: Option<&str>) -> bool;
}

/// Somebody who gave the right password.
#[derive(Debug, Clone, Copy)]
pub struct User<'a> {
    /// The name.
    pub name: &'a str,
    /// The groups of `AuthGroupFile` that name the user.
    pub groups: &'a [String],
}

/// The `Require` lines in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Access {
    /// Those of one section: one of them suffices. At least one.
    Any(Vec<Limited<Requirement>>),
    /// `AuthMerging And`: the inherited ones and those of a section.
    Both(Box<(Self, Self)>),
    /// `AuthMerging Or`: the inherited ones or those of a section.
    Either(Box<(Self, Self)>),
}

/// `AuthMerging`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Merging {
    /// What is inherited is dropped.
    Off,
    /// Both must let a client pass.
    And,
    /// One of the two.
    Or,
}

/// A rule for all methods, or for those of the `<Limit>` around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limited<T> {
    /// `None`: all.
    pub methods: Option<Methods>,
    /// The rule.
    pub rule: T,
}

/// `<Limit>` and `<LimitExcept>`. `GET` means `HEAD` as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Methods {
    /// These.
    Only(Vec<String>),
    /// All but these.
    Except(Vec<String>),
}

/// One `Require`, or a section of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Requirement {
    /// `all granted`.
    Granted,
    /// `all denied`.
    Denied,
    /// `ip`: the client's address is in one of these networks.
    Ip(Vec<IpNetwork>),
    /// `local`: a loopback client, or both ends of the connection have the same address.
    Local,
    /// `ssl`: it came over TLS.
    Secure,
    /// `ssl-verify-client`: with a certificate of the client's.
    Certified,
    /// `method`: one of these.
    Method(Vec<String>),
    /// `env`: one of these variables is set.
    Env(Vec<String>),
    /// `expr`.
    Expression(Condition),
    /// `valid-user`.
    ValidUser,
    /// `user`: one of these.
    User(Vec<String>),
    /// `group`: in one of these.
    Group(Vec<String>),
    /// `not`.
    Not(Box<Self>),
    /// `<RequireAll>`.
    All(Vec<Limited<Self>>),
    /// `<RequireAny>`.
    Any(Vec<Limited<Self>>),
    /// `<RequireNone>`.
    None(Vec<Limited<Self>>),
}

/// What a requirement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Yes.
    Granted,
    /// No.
    Denied,
    /// No, and a user might change that.
    NeedsUser,
    /// Nothing: a `not` that does not refuse.
    Neutral,
}

/// A network: the first `prefix` bits of `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IpNetwork {
    /// Bits after the prefix are zero.
    pub address: IpAddr,
    /// How many bits count.
    pub prefix: u8,
}

/// `Order`, `Allow` and `Deny` of one section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderRules {
    /// `Order`: the last for a method counts.
    pub order: Vec<Limited<Order>>,
    /// `Allow from`.
    pub allow: Vec<Limited<AllowRule>>,
    /// `Deny from`.
    pub deny: Vec<Limited<AllowRule>>,
    /// `Satisfy`: the last for a method counts.
    pub satisfy: Vec<Limited<Satisfy>>,
}

/// Whether these rules and `Require` must both let a request pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Satisfy {
    /// Both.
    #[default]
    All,
    /// One of the two.
    Any,
}

/// Which of `Allow` and `Deny` has the last word, and what holds when neither speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// `deny,allow` (httpd's default): allowed unless denied and not allowed.
    #[default]
    DenyAllow,
    /// `allow,deny` and `mutual-failure`: denied unless allowed and not denied.
    AllowDeny,
}

/// Whom an `Allow` or `Deny` means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AllowRule {
    /// `all`.
    All,
    /// An address or network.
    Ip(IpNetwork),
    /// `env=name` and `env=!name`.
    Env {
        /// The variable.
        name: String,
        /// It must not be set.
        negated: bool,
    },
}

impl<'a> Asker<'a> {
    /// The same, with IPv4 addresses mapped into IPv6 turned back.
    fn canonical(self) -> Self {
        Self {
            client: self.client.to_canonical(),
            local: self.local.to_canonical(),
            ..self
        }
    }

    fn has(&self, variable: &str) -> bool {
        self.variables.iter().any(|(name, _)| name == variable)
    }
}

impl Access {
    /// What the lines say of a request. Lines for other methods only let it pass.
    pub fn judge(&self, asker: &Asker) -> Outcome {
        self.outcome(&asker.canonical()).unwrap_or(Outcome::Granted)
    }

    /// Whether a line looks at the user.
    pub(crate) fn asks_user(&self) -> bool {
        match self {
            Self::Any(requirements) => requirements.iter().any(|limited| limited.rule.asks_user()),
            Self::Both(pair) | Self::Either(pair) => pair.0.asks_user() || pair.1.asks_user(),
        }
    }

    /// Whether a line looks at the user's groups.
    pub fn asks_groups(&self) -> bool {
        match self {
            Self::Any(requirements) => requirements
                .iter()
                .any(|limited| limited.rule.asks_groups()),
            Self::Both(pair) | Self::Either(pair) => pair.0.asks_groups() || pair.1.asks_groups(),
        }
    }

    /// Whether an expression is looked at.
    pub fn asks_expressions(&self) -> bool {
        match self {
            Self::Any(requirements) => requirements
                .iter()
                .any(|limited| limited.rule.asks_expressions()),
            Self::Both(pair) | Self::Either(pair) => {
                pair.0.asks_expressions() || pair.1.asks_expressions()
            }
        }
    }

    /// `None`: every line is for other methods.
    fn outcome(&self, asker: &Asker) -> Option<Outcome> {
        let (both, pair) = match self {
            Self::Any(requirements) => {
                let concerned = requirements
                    .iter()
                    .any(|limited| limited.is_concerned(asker.method));
                return concerned.then(|| any(requirements, asker));
            }
            Self::Both(pair) => (true, pair),
            Self::Either(pair) => (false, pair),
        };
        match (pair.0.outcome(asker), pair.1.outcome(asker)) {
            (None, None) => None,
            (Some(outcome), None) | (None, Some(outcome)) => Some(outcome),
            (Some(first), Some(second)) => Some(if both {
                fold_all([first, second])
            } else {
                fold_any([first, second])
            }),
        }
    }
}

impl Merging {
    /// What is in force in a section with these lines and this inheritance.
    pub fn merge(self, inherited: Option<&Access>, own: Option<&Access>) -> Option<Access> {
        let pair = match (self, inherited, own) {
            (Self::Off, _, own) => return own.cloned(),
            (_, Some(inherited), Some(own)) => Box::new((inherited.clone(), own.clone())),
            (_, inherited, own) => return inherited.or(own).cloned(),
        };
        Some(match self {
            Self::And => Access::Both(pair),
            _ => Access::Either(pair),
        })
    }
}

impl Requirement {
    /// Whether it can never say yes.
    pub(crate) fn is_negative(&self) -> bool {
        matches!(self, Self::Not(_) | Self::None(_))
    }

    fn asks_user(&self) -> bool {
        match self {
            Self::ValidUser | Self::User(_) | Self::Group(_) => true,
            Self::Expression(condition) => condition.asks_user(),
            Self::Not(requirement) => requirement.asks_user(),
            Self::All(inner) | Self::Any(inner) | Self::None(inner) => {
                inner.iter().any(|limited| limited.rule.asks_user())
            }
            _ => false,
        }
    }

    fn asks_groups(&self) -> bool {
        match self {
            Self::Group(_) => true,
            Self::Not(requirement) => requirement.asks_groups(),
            Self::All(inner) | Self::Any(inner) | Self::None(inner) => {
                inner.iter().any(|limited| limited.rule.asks_groups())
            }
            _ => false,
        }
    }

    fn asks_expressions(&self) -> bool {
        match self {
            Self::Expression(_) => true,
            Self::Not(requirement) => requirement.asks_expressions(),
            Self::All(inner) | Self::Any(inner) | Self::None(inner) => {
                inner.iter().any(|limited| limited.rule.asks_expressions())
            }
            _ => false,
        }
    }

    fn outcome(&self, asker: &Asker) -> Outcome {
        let holds = match self {
            Self::Granted => true,
            Self::Denied => false,
            Self::Ip(networks) => networks
                .iter()
                .any(|network| network.contains(asker.client)),
            Self::Local => asker.client.is_loopback() || asker.client == asker.local,
            Self::Secure => asker.secure,
            Self::Certified => asker.certified,
            Self::Method(methods) => includes(methods, asker.method),
            Self::Env(names) => names.iter().any(|name| asker.has(name)),
            // httpd's AUTHZ_DENIED_NO_USER.
            Self::Expression(condition) if asker.user.is_none() && condition.asks_user() => {
                return Outcome::NeedsUser;
            }
            Self::Expression(condition) => {
                let user = asker.user.map(|user| user.name);
                asker
                    .expressions
                    .is_some_and(|judge| judge.holds(condition, user))
            }
            Self::ValidUser => return by_user(asker, |_| true),
            Self::User(names) => {
                return by_user(asker, |user| names.iter().any(|name| name == user.name));
            }
            Self::Group(groups) => {
                return by_user(asker, |user| {
                    groups.iter().any(|group| user.groups.contains(group))
                });
            }
            Self::Not(requirement) => return negated(requirement.outcome(asker)),
            Self::All(requirements) => {
                return fold_all(requirements.iter().map(|limited| {
                    if limited.is_concerned(asker.method) {
                        limited.rule.outcome(asker)
                    } else {
                        Outcome::Granted
                    }
                }));
            }
            Self::Any(requirements) => return any(requirements, asker),
            Self::None(requirements) => return negated(any(requirements, asker)),
        };
        if holds {
            Outcome::Granted
        } else {
            Outcome::Denied
        }
    }
}

fn by_user(asker: &Asker, fits: impl Fn(User) -> bool) -> Outcome {
    match asker.user {
        None => Outcome::NeedsUser,
        Some(user) if fits(user) => Outcome::Granted,
        Some(_) => Outcome::Denied,
    }
}

fn any(requirements: &[Limited<Requirement>], asker: &Asker) -> Outcome {
    let concerned = requirements
        .iter()
        .filter(|limited| limited.is_concerned(asker.method));
    fold_any(concerned.map(|limited| limited.rule.outcome(asker)))
}

/// One no is a no, else one yes a yes.
fn fold_all(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let mut result = Outcome::Neutral;
    for outcome in outcomes {
        match outcome {
            Outcome::Denied => return outcome,
            Outcome::NeedsUser => result = outcome,
            Outcome::Granted if result == Outcome::Neutral => result = outcome,
            Outcome::Granted | Outcome::Neutral => {}
        }
    }
    result
}

/// One yes is a yes, else one no a no.
fn fold_any(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let mut result = Outcome::Neutral;
    for outcome in outcomes {
        match outcome {
            Outcome::Granted => return outcome,
            Outcome::NeedsUser => result = outcome,
            Outcome::Denied if result == Outcome::Neutral => result = outcome,
            Outcome::Denied | Outcome::Neutral => {}
        }
    }
    result
}

fn negated(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Granted => Outcome::Denied,
        Outcome::Denied | Outcome::NeedsUser | Outcome::Neutral => Outcome::Neutral,
    }
}

impl Limited<Requirement> {
    /// Whether the rule counts for a method. A section does when something in it does, as in httpd.
    fn is_concerned(&self, method: &str) -> bool {
        let inner = match &self.rule {
            Requirement::All(inner) | Requirement::Any(inner) | Requirement::None(inner) => inner,
            _ => return self.concerns(method),
        };
        self.concerns(method) && inner.iter().any(|limited| limited.is_concerned(method))
    }
}

impl<T> Limited<T> {
    /// Whether the rule counts for a method.
    pub fn concerns(&self, method: &str) -> bool {
        match &self.methods {
            None => true,
            Some(Methods::Only(methods)) => includes(methods, method),
            Some(Methods::Except(methods)) => !includes(methods, method),
        }
    }
}

/// httpd has one number for `GET` and `HEAD`.
fn includes(methods: &[String], method: &str) -> bool {
    let same = |name: &str| if name == "HEAD" { "GET" } else { name }.to_owned();
    let method = same(method);
    methods.iter().any(|known| same(known) == method)
}

impl OrderRules {
    /// Whether a request may pass.
    pub fn allows(&self, asker: &Asker) -> bool {
        let asker = &asker.canonical();
        let hit = |rules: &[Limited<AllowRule>]| {
            let mut concerned = rules
                .iter()
                .filter(|limited| limited.concerns(asker.method));
            concerned.any(|limited| limited.rule.names(asker))
        };
        match self.order(asker.method) {
            Order::DenyAllow => !hit(&self.deny) || hit(&self.allow),
            Order::AllowDeny => hit(&self.allow) && !hit(&self.deny),
        }
    }

    /// `Satisfy` for a method.
    pub fn satisfy(&self, method: &str) -> Satisfy {
        last_for(&self.satisfy, method)
    }

    /// Whether nothing here refuses anybody, and that suffices.
    pub(crate) fn satisfies_everybody(&self) -> bool {
        let any = self
            .satisfy
            .iter()
            .any(|limited| limited.rule == Satisfy::Any);
        let by_default = self
            .order
            .iter()
            .all(|limited| limited.rule == Order::DenyAllow);
        any && by_default && self.deny.is_empty()
    }

    fn order(&self, method: &str) -> Order {
        last_for(&self.order, method)
    }
}

fn last_for<T: Copy + Default>(rules: &[Limited<T>], method: &str) -> T {
    let last = rules.iter().rfind(|limited| limited.concerns(method));
    last.map(|limited| limited.rule).unwrap_or_default()
}

impl AllowRule {
    fn names(&self, asker: &Asker) -> bool {
        match self {
            Self::All => true,
            Self::Ip(network) => network.contains(asker.client),
            Self::Env { name, negated } => asker.has(name) != *negated,
        }
    }
}

impl IpNetwork {
    /// A network, or `None` when the prefix is longer than the address.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(ip) if prefix <= 32 => {
                IpAddr::from((ip.to_bits() & mask_32(prefix)).to_be_bytes())
            }
            IpAddr::V6(ip) if prefix <= 128 => {
                IpAddr::from((ip.to_bits() & mask_128(prefix)).to_be_bytes())
            }
            _ => return None,
        };
        Some(Self { address, prefix })
    }

    /// Whether an address lies in the network. IPv4 addresses mapped into IPv6 must have been turned back.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                (network.to_bits() ^ ip.to_bits()) & mask_32(self.prefix) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                (network.to_bits() ^ ip.to_bits()) & mask_128(self.prefix) == 0
            }
            _ => false,
        }
    }
}

fn mask_32(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

fn mask_128(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}
