//! A Django project's own URLs for files (`PythonStatic On`): what its settings say, once they are imported.
//!
//! They are known later than all else: a template learns them by importing the project, before it forks workers, and fronts
//! are told. Until then, and in a process that is never told, Python is asked for each of these paths.

use alula_http::Caching;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an interpreter's project says of its files, on its way from the template.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteFiles {
    /// One for `STATIC_URL`, one for `MEDIA_URL`, as far as there are any.
    pub mounts: Vec<Mount>,
}

/// A URL and the directory below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// A path. Without a slash at its start it is below the project's own root.
    pub url: String,
    /// `None`: Python has to be asked where a file is.
    pub root: Option<PathBuf>,
    /// The files below the root whose names hold a hash of their content.
    pub hashed: Vec<String>,
}

/// The files of all interpreters that are known.
#[derive(Debug)]
pub(crate) struct KnownFiles {
    /// A lone interpreter runs whatever the site has, whatever it is called.
    is_lone: bool,
    by_interpreter: RwLock<HashMap<String, Arc<[Known]>>>,
    /// So many mounts were ever known: a new one never has the number of an old one, whose routes are kept.
    count: AtomicUsize,
}

/// A [`Mount`], to be looked up.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) number: usize,
    url: Box<[u8]>,
    pub(crate) root: Option<PathBuf>,
    pub(crate) caching: Arc<Caching>,
}

/// Where a path is in a project.
#[derive(Debug)]
pub(crate) enum InProject<'p> {
    /// The project has not said.
    Unknown,
    /// Not among its files.
    Elsewhere,
    /// Below one of its URLs for files, and how.
    Below(Known, &'p [u8]),
}

impl KnownFiles {
    pub(crate) fn new(is_lone: bool) -> Self {
        Self {
            is_lone,
            by_interpreter: RwLock::default(),
            count: AtomicUsize::new(0),
        }
    }

    pub(crate) fn set(&self, interpreter: &str, files: SiteFiles) {
        let known = |mount: Mount| Known {
            number: self.count.fetch_add(1, Ordering::Relaxed),
            url: mount.url.into_bytes().into(),
            root: mount.root,
            caching: Arc::new(Caching::new(mount.hashed)),
        };
        let mut mounts: Vec<Known> = files.mounts.into_iter().map(known).collect();
        // `/static/media/` is tried before `/static/`.
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.url.len()));
        let name = self.name(interpreter).to_owned();
        self.by_interpreter.write().insert(name, mounts.into());
    }

    /// `root` is the project's own, without a slash at its end; `path` has its slashes merged.
    pub(crate) fn find<'p>(&self, interpreter: &str, root: &str, path: &'p [u8]) -> InProject<'p> {
        let known = self.by_interpreter.read();
        let Some(mounts) = known.get(self.name(interpreter)) else {
            return InProject::Unknown;
        };
        for mount in mounts.iter() {
            if let Some(below) = mount.below(root, path) {
                return InProject::Below(mount.clone(), below);
            }
        }
        InProject::Elsewhere
    }

    fn name<'n>(&self, interpreter: &'n str) -> &'n str {
        if self.is_lone { "" } else { interpreter }
    }
}

impl Known {
    fn below<'p>(&self, root: &str, path: &'p [u8]) -> Option<&'p [u8]> {
        if self.url.starts_with(b"/") {
            return path.strip_prefix(&*self.url);
        }
        let path = path.strip_prefix(root.as_bytes())?;
        path.strip_prefix(b"/")?.strip_prefix(&*self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_below_the_longest_url_that_fits() {
        let files = KnownFiles::new(false);
        let mount = |url: &str| Mount {
            url: url.to_owned(),
            root: Some(format!("/srv/{url}").into()),
            hashed: Vec::new(),
        };
        assert!(matches!(
            files.find("a", "", b"/static/x"),
            InProject::Unknown
        ));
        let mounts = ["/static/", "/static/media/", "up/"].map(mount).to_vec();
        files.set("a", SiteFiles { mounts });
        let check = |root: &str, path: &str, expected: Option<(&str, &str)>| {
            let found = match files.find("a", root, path.as_bytes()) {
                InProject::Below(known, below) => Some((
                    String::from_utf8_lossy(&known.url).into_owned(),
                    String::from_utf8_lossy(below).into_owned(),
                )),
                InProject::Elsewhere => None,
                InProject::Unknown => panic!("it is known"),
            };
            let expected = expected.map(|(url, below)| (url.to_owned(), below.to_owned()));
            assert_eq!(found, expected, "{root} {path}");
        };
        check("", "/static/a/b.css", Some(("/static/", "a/b.css")));
        check("", "/static/media/c", Some(("/static/media/", "c")));
        check("", "/static", None);
        check("", "/statics/a", None);
        check("", "/up/a", Some(("up/", "a")));
        check("/shop", "/shop/up/a", Some(("up/", "a")));
        check("/shop", "/shop/static/a", None);
        check("/shop", "/static/a", Some(("/static/", "a")));
        check("/shop", "/shopup/a", None);
        assert!(matches!(
            files.find("b", "", b"/static/x"),
            InProject::Unknown
        ));
    }
}
