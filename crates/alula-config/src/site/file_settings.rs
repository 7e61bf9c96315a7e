//! What sections say about files: media types and their kin by extension, directories, listings, validators, ranges.
//!
//! All of it is kept as changes; [`FileSettings::overlay`] lays an inner section's over an outer one's.

use super::HandlerChoice;
use super::merge::replace;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A value that an inner section can take back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Switched<T> {
    /// Taken back: as if nobody had written it.
    Off,
    /// This value.
    On(T),
}

impl<T> Switched<T> {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}

/// mod_mime's, mod_dir's and mod_autoindex's directives, and what core says about files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSettings {
    /// `AddType` and its kin, by extension: lower case, without the dot.
    pub extensions: BTreeMap<String, ExtensionSettings>,
    /// `ForceType`.
    pub forced_type: Option<Switched<String>>,
    /// `DefaultLanguage`.
    pub default_language: Option<String>,
    /// `DirectorySlash`.
    pub directory_slash: Option<DirectorySlash>,
    /// `DirectoryIndexRedirect`: the status; `Off` sends the index itself.
    pub index_redirect: Option<Switched<u16>>,
    /// `FallbackResource`: a URL path.
    pub fallback: Option<Switched<String>>,
    /// `FileETag`.
    pub etag: Option<EtagChange>,
    /// `PrecompressedFiles`.
    pub precompressed: Option<bool>,
    /// `MaxRanges`, `MaxRangeOverlaps`, `MaxRangeReversals`.
    pub ranges: RangeLimits,
    /// mod_autoindex's directives.
    pub listing: ListingSettings,
}

/// What the extension of a file's name says about the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionSettings {
    /// `AddType`.
    pub media_type: Option<Switched<String>>,
    /// `AddEncoding`.
    pub encoding: Option<Switched<String>>,
    /// `AddLanguage`.
    pub language: Option<Switched<String>>,
    /// `AddCharset`.
    pub charset: Option<Switched<String>>,
    /// `AddHandler`.
    pub handler: Option<Switched<HandlerChoice>>,
}

/// What a directory's URL without a slash at its end gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DirectorySlash {
    /// A redirect to the URL with a slash.
    #[default]
    On,
    /// The listing, if there is one.
    Off,
    /// 404.
    NotFound,
}

/// Which facts of a file an entity tag is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtagParts {
    /// `INode`.
    pub inode: bool,
    /// `MTime`.
    pub modified: bool,
    /// `Size`.
    pub size: bool,
}

/// `FileETag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EtagChange {
    /// A list without signs.
    Replace(EtagParts),
    /// `+x -y`.
    Edit {
        /// Those with `+`.
        add: EtagParts,
        /// Those with `-`.
        remove: EtagParts,
    },
}

/// How many parts of a file one request may ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeLimits {
    /// `MaxRanges`; `Some(0)` = `none`, `u32::MAX` = `unlimited`.
    pub count_max: Option<u32>,
    /// `MaxRangeOverlaps`.
    pub overlaps_max: Option<u32>,
    /// `MaxRangeReversals`.
    pub reversals_max: Option<u32>,
}

/// How a directory's listing looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingSettings {
    /// `IndexOptions`.
    #[serde(default, skip_serializing_if = "IndexOptions::is_default")]
    pub options: IndexOptions,
    /// `IndexIgnore`: shell wildcards for names.
    pub ignore: Vec<String>,
    /// `IndexIgnoreReset On`.
    pub ignore_reset: Option<bool>,
    /// `AddDescription`: the text, and shell wildcards for the names it is for.
    pub descriptions: Vec<(String, String)>,
    /// `HeaderName`.
    pub header: Option<String>,
    /// `ReadmeName`.
    pub readme: Option<String>,
    /// `IndexOrderDefault`: the column's letter, and whether it descends.
    pub order: Option<(char, bool)>,
    /// `IndexStyleSheet`.
    pub style_sheet: Option<String>,
    /// `IndexHeadInsert`.
    pub head_insert: Option<String>,
}

/// `IndexOptions`; `None` was not written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexOptions {
    /// A list without signs stood here: what is inherited counts no more.
    pub replace: bool,
    /// By keyword in lower case.
    pub flags: BTreeMap<String, bool>,
    /// `Charset=`.
    pub charset: Option<String>,
}

/// httpd's defaults (`ap_set_byterange`).
const RANGES_MAX_DEFAULT: u32 = 200;
const OVERLAPS_MAX_DEFAULT: u32 = 20;

impl FileSettings {
    /// Whether nothing was written.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Lays an inner section's settings over these.
    pub(super) fn overlay(&mut self, later: &Self) {
        for (extension, settings) in &later.extensions {
            let mine = self.extensions.entry(extension.clone()).or_default();
            replace(&mut mine.media_type, &settings.media_type);
            replace(&mut mine.encoding, &settings.encoding);
            replace(&mut mine.language, &settings.language);
            replace(&mut mine.charset, &settings.charset);
            replace(&mut mine.handler, &settings.handler);
        }
        replace(&mut self.forced_type, &later.forced_type);
        replace(&mut self.default_language, &later.default_language);
        replace(&mut self.directory_slash, &later.directory_slash);
        replace(&mut self.index_redirect, &later.index_redirect);
        replace(&mut self.fallback, &later.fallback);
        self.etag = match (self.etag, later.etag) {
            (earlier, None) => earlier,
            (earlier, Some(change)) => Some(change.after(earlier)),
        };
        replace(&mut self.precompressed, &later.precompressed);
        replace(&mut self.ranges.count_max, &later.ranges.count_max);
        replace(&mut self.ranges.overlaps_max, &later.ranges.overlaps_max);
        replace(&mut self.ranges.reversals_max, &later.ranges.reversals_max);
        self.listing.overlay(&later.listing);
    }

    /// Which facts an entity tag is made of; none: there is no tag.
    pub fn etag_parts(&self) -> EtagParts {
        match self.etag {
            None => EtagParts::DEFAULT,
            Some(EtagChange::Replace(parts)) => parts,
            Some(EtagChange::Edit { add, remove }) => EtagParts::DEFAULT.edited(add, remove),
        }
    }

    /// Whether a file's name can choose who answers.
    pub fn has_handlers(&self) -> bool {
        let mut extensions = self.extensions.values();
        extensions.any(|extension| matches!(extension.handler, Some(Switched::On(_))))
    }
}

impl RangeLimits {
    /// `MaxRanges`, with its default.
    pub fn count_max(self) -> u32 {
        self.count_max.unwrap_or(RANGES_MAX_DEFAULT)
    }

    /// `MaxRangeOverlaps`, with its default.
    pub fn overlaps_max(self) -> u32 {
        self.overlaps_max.unwrap_or(OVERLAPS_MAX_DEFAULT)
    }

    /// `MaxRangeReversals`, with its default.
    pub fn reversals_max(self) -> u32 {
        self.reversals_max.unwrap_or(OVERLAPS_MAX_DEFAULT)
    }
}

impl EtagParts {
    /// `MTime Size`.
    pub const DEFAULT: Self = Self {
        inode: false,
        modified: true,
        size: true,
    };
    /// `None`.
    pub const NONE: Self = Self {
        inode: false,
        modified: false,
        size: false,
    };

    fn edited(self, add: Self, remove: Self) -> Self {
        Self {
            inode: (self.inode || add.inode) && !remove.inode,
            modified: (self.modified || add.modified) && !remove.modified,
            size: (self.size || add.size) && !remove.size,
        }
    }
}

impl EtagChange {
    pub(crate) fn after(self, earlier: Option<Self>) -> Self {
        match (self, earlier) {
            (replacement @ Self::Replace(_), _) | (replacement, None) => replacement,
            (Self::Edit { add, remove }, Some(Self::Replace(parts))) => {
                Self::Replace(parts.edited(add, remove))
            }
            (
                Self::Edit { add, remove },
                Some(Self::Edit {
                    add: added,
                    remove: removed,
                }),
            ) => Self::Edit {
                add: added.edited(add, remove),
                remove: removed.edited(remove, add),
            },
        }
    }
}

impl ListingSettings {
    fn overlay(&mut self, later: &Self) {
        self.options.overlay(&later.options);
        if later.ignore_reset == Some(true) {
            self.ignore.clear();
        }
        replace(&mut self.ignore_reset, &later.ignore_reset);
        self.ignore.extend(later.ignore.iter().cloned());
        // The first that fits a name counts, and an inner section's come first.
        self.descriptions = [&later.descriptions[..], &self.descriptions].concat();
        replace(&mut self.header, &later.header);
        replace(&mut self.readme, &later.readme);
        replace(&mut self.order, &later.order);
        replace(&mut self.style_sheet, &later.style_sheet);
        replace(&mut self.head_insert, &later.head_insert);
    }
}

impl IndexOptions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn overlay(&mut self, later: &Self) {
        if later.replace {
            *self = later.clone();
            return;
        }
        let flags = later.flags.iter();
        self.flags
            .extend(flags.map(|(name, on)| (name.clone(), *on)));
        replace(&mut self.charset, &later.charset);
    }

    /// Whether an option, in lower case, is on.
    pub fn has(&self, name: &str) -> bool {
        self.flags.get(name) == Some(&true)
    }
}
