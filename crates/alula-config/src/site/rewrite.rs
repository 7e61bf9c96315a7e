//! mod_rewrite: rules that change where a URL leads, each with the conditions before it.
//!
//! Texts with `$1`, `%1`, `%{...}` and `${map:key}` are taken apart here; nothing of their spelling is looked at for a request.

use super::Origin;
use crate::expression::{Condition, Name};
use crate::pattern::Pattern;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What one place, a server or a section, says about rewriting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewriting {
    /// `RewriteEngine`.
    pub engine: Option<bool>,
    /// `RewriteOptions`.
    pub options: Option<RewriteOptions>,
    /// `RewriteBase`: the URL that stands for the directory.
    pub base: Option<String>,
    /// `RewriteMap`, by name; of a server only.
    pub maps: BTreeMap<String, RewriteMap>,
    /// `RewriteRule`s in the order to try.
    pub rules: Vec<RewriteRule>,
    /// The section's path with a slash at its end, which patterns do not see; `None` in a server.
    pub directory: Option<String>,
}

/// `RewriteOptions`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RewriteOptions {
    /// `Inherit`: the outer rules after one's own.
    pub inherit: bool,
    /// `InheritBefore`: the outer rules before one's own.
    pub inherit_before: bool,
    /// `InheritDown`: as if all inside had `Inherit`.
    pub inherit_down: bool,
    /// `InheritDownBefore`.
    pub inherit_down_before: bool,
    /// `IgnoreInherit`: not so.
    pub ignore_inherit: bool,
    /// `AllowNoSlash`: rules of a directory also for its URL without a slash.
    pub allow_no_slash: bool,
    /// `MergeBase`: an outer `RewriteBase` counts.
    pub merge_base: bool,
    /// `LegacyPrefixDocRoot`.
    pub legacy_prefix: bool,
}

/// One `RewriteRule` and the `RewriteCond`s before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteRule {
    /// All must hold, those with `[OR]` aside.
    pub conditions: Vec<RewriteCondition>,
    /// What is looked for in the path.
    pub pattern: Pattern,
    /// `!`: it must not be found.
    pub negated: bool,
    /// What the path becomes; `None` for `-`.
    pub to: Option<RewriteText>,
    /// `[...]`.
    pub flags: RewriteFlags,
    /// Where it was written.
    pub origin: Origin,
}

/// One `RewriteCond`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteCondition {
    /// What is looked at.
    pub subject: RewriteText,
    /// What it must be.
    pub test: RewriteTest,
    /// `!`.
    pub negated: bool,
    /// `[NC]`, for texts that are compared.
    pub ignores_case: bool,
    /// `[OR]`: this one or the next.
    pub or_next: bool,
}

/// What a [`RewriteCondition`] asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RewriteTest {
    /// The pattern is found.
    Pattern(Pattern),
    /// `=text`.
    Equal(String),
    /// `<text`: shorter, or as long and before it.
    Less(String),
    /// `<=text`.
    LessOrEqual(String),
    /// `>text`.
    Greater(String),
    /// `>=text`.
    GreaterOrEqual(String),
    /// `-eq` and its kin.
    Number(crate::expression::Order, i64),
    /// `-f` and its kin.
    File(crate::expression::Test),
    /// `expr`; the subject is not looked at.
    Expression(Condition),
}

/// A text with variables in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteText(pub Vec<RewritePiece>);

/// A part of a [`RewriteText`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RewritePiece {
    /// As it is.
    Text(String),
    /// `$1`: a group of the rule's pattern.
    RuleGroup(u8),
    /// `%1`: a group of the last pattern a condition found.
    ConditionGroup(u8),
    /// `%{NAME}`.
    Named(Name),
    /// `%{HTTP:name}`.
    Header(String),
    /// `%{ENV:name}`.
    Variable(String),
    /// `${map:key|default}`.
    Map {
        /// The map's name.
        name: String,
        /// What is looked up.
        key: RewriteText,
        /// What stands for a key that is not there.
        default: RewriteText,
    },
}

/// `RewriteMap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RewriteMap {
    /// `txt:`: lines of a key and a value.
    Text(PathBuf),
    /// `rnd:`: the same, with values of which one is taken at random.
    Random(PathBuf),
    /// `int:toupper`.
    ToUpper,
    /// `int:tolower`.
    ToLower,
    /// `int:escape`.
    Escape,
    /// `int:unescape`.
    Unescape,
}

/// The flags of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteFlags {
    /// `B`: groups are percent-encoded where they are put in.
    pub escape: Option<GroupEscape>,
    /// `C`: without this rule, not the next either.
    pub chain: bool,
    /// `CO`.
    pub cookies: Vec<RewriteText>,
    /// `DPI`: what follows the file in the path is dropped.
    pub discard_path_info: bool,
    /// `E`: a name and its value; `None` removes it.
    pub variables: Vec<RewriteVariable>,
    /// `L` and `END`.
    pub ends: Option<RewriteEnd>,
    /// `T`: the media type.
    pub media_type: Option<RewriteText>,
    /// `N`: from the start again, at most so often.
    pub again: Option<u32>,
    /// `NE`: the result is not encoded.
    pub no_escape: bool,
    /// `PT`: the result is a URL for `Alias` and its kin.
    pub pass_through: bool,
    /// `P`: the result is a URL of a back end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxy: bool,
    /// `QSA`, `QSD`, `QSL`.
    pub query: QueryFlags,
    /// `R`, `F`, `G`: the status.
    pub status: Option<u16>,
    /// `S`: so many rules are left out.
    pub skip: usize,
    /// `UnsafeAllow3F`.
    pub unsafe_allow_3f: bool,
    /// `UnsafePrefixStat`.
    pub unsafe_prefix_stat: bool,
}

/// `E=name:value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewriteVariable {
    /// The name.
    pub name: RewriteText,
    /// The value; `None` removes the variable.
    pub value: Option<RewriteText>,
}

/// How far a rule is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RewriteEnd {
    /// `L`: of this round.
    Round,
    /// `END`: of all.
    All,
}

/// `B`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEscape {
    /// `B=`: only these.
    pub only: Option<String>,
    /// `BNE=`: all but these.
    pub except: Option<String>,
    /// `BNP`: a blank is `%20`, not `+`.
    pub no_plus: bool,
    /// `BCTLS`: only blanks and control characters.
    pub controls: bool,
}

/// What becomes of the query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryFlags {
    /// `QSA`: the request's after the rule's.
    pub append: bool,
    /// `QSD`: the request's is dropped.
    pub discard: bool,
    /// `QSL`: it starts at the last question mark.
    pub last: bool,
}

impl Rewriting {
    /// Whether rules are to be tried.
    pub fn is_on(&self) -> bool {
        self.engine == Some(true)
    }

    /// Lays what an inner place says over this. Rules of the outer one count only where an option says so.
    pub fn overlay(&mut self, inner: &Self) {
        let outer = std::mem::replace(self, inner.clone());
        let down = outer.options.unwrap_or_default();
        let own = inner.options.or(outer.options).unwrap_or_default();
        let after = own.inherit || (down.inherit_down && !own.ignore_inherit);
        let before = own.inherit_before || (down.inherit_down_before && !own.ignore_inherit);
        self.engine = inner.engine.or(outer.engine);
        self.options = inner.options.or(outer.options);
        if self.base.is_none() && own.merge_base {
            self.base = outer.base;
        }
        if after || before {
            for (name, map) in outer.maps {
                self.maps.entry(name).or_insert(map);
            }
        }
        if after {
            self.rules.extend(outer.rules);
        } else if before {
            let own = std::mem::replace(&mut self.rules, outer.rules);
            self.rules.extend(own);
        }
    }
}

impl RewriteText {
    /// Whether the configuration itself has a character in it.
    pub fn has_literal(&self, byte: u8) -> bool {
        let has = |piece: &RewritePiece| match piece {
            RewritePiece::Text(text) => text.as_bytes().contains(&byte),
            _ => false,
        };
        self.0.iter().any(has)
    }

    /// The text, when it does not depend on anything.
    pub fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [RewritePiece::Text(text)] => Some(text),
            _ => None,
        }
    }
}
