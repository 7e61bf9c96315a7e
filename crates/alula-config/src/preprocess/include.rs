//! `Include` and `IncludeOptional`: a file, a directory (every file below it, hidden ones as well) or a pattern.

use super::{Reader, reason};
use crate::glob;
use crate::syntax::lexer::Word;
use crate::syntax::parser::Node;
use std::path::{Path, PathBuf};

/// How deep `Include` may nest, and directories within one.
const DEPTH_MAX: usize = 20;

/// How many files one configuration may have.
const FILES_MAX: usize = 4096;

impl Reader<'_> {
    pub(super) fn include(&mut self, name: &Word, words: &[Word], required: bool) -> Vec<Node> {
        let [target] = words else {
            let message = format!(
                "{} takes one argument, a file, directory or pattern",
                name.text
            );
            self.error(name.span, message);
            return Vec::new();
        };
        if self.depth >= DEPTH_MAX {
            let message = format!(
                "{}: files include one another more than {DEPTH_MAX} deep",
                name.text
            );
            self.error(name.span, message);
            return Vec::new();
        }
        let path = self.server_root.join(&target.text);
        let mut found = Vec::new();
        if glob::is_pattern(&target.text) {
            self.matches(&path, &mut found);
            if found.is_empty() && required {
                let message = format!("{}: no matches for the wildcard {path:?}", name.text);
                self.error(target.span, message);
            }
        } else if self.files.is_dir(&path) {
            self.below(&path, 0, &mut found);
        } else if required || self.files.exists(&path) {
            found.push(path);
        }
        self.depth += 1;
        let mut nodes = Vec::new();
        for path in found {
            nodes.extend(self.include_file(name, target, path));
        }
        self.depth -= 1;
        nodes
    }

    fn include_file(&mut self, name: &Word, target: &Word, path: PathBuf) -> Vec<Node> {
        self.files_read += 1;
        if self.files_read > FILES_MAX {
            if self.files_read == FILES_MAX + 1 {
                let message = format!("{}: more than {FILES_MAX} files", name.text);
                self.error(target.span, message);
            }
            return Vec::new();
        }
        match self.files.read(&path) {
            Ok(bytes) => self.read_bytes(path, &bytes, Some(name.span)),
            Err(error) => {
                let message = format!("{}: cannot read {path:?}: {}", name.text, reason(&error));
                self.error(target.span, message);
                Vec::new()
            }
        }
    }

    /// Every file that fits a pattern, level by level, sorted at each.
    fn matches(&self, pattern: &Path, found: &mut Vec<PathBuf>) {
        let mut level = vec![PathBuf::from("/")];
        for part in pattern.components().skip(1) {
            let part = part.as_os_str().to_string_lossy();
            let mut next = Vec::new();
            for folder in level {
                if !glob::is_pattern(&part) {
                    next.push(folder.join(&*part));
                    continue;
                }
                let names = self.sorted(&folder).into_iter();
                next.extend(
                    names
                        .filter(|name| glob::matches(&part, name))
                        .map(|name| folder.join(name)),
                );
            }
            level = next;
        }
        for path in level.into_iter().filter(|path| self.files.exists(path)) {
            if self.files.is_dir(&path) {
                self.below(&path, 0, found);
            } else {
                found.push(path);
            }
        }
    }

    fn below(&self, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
        for name in self.sorted(folder) {
            let path = folder.join(name);
            if !self.files.is_dir(&path) {
                found.push(path);
            } else if depth < DEPTH_MAX {
                self.below(&path, depth + 1, found);
            }
        }
    }

    fn sorted(&self, folder: &Path) -> Vec<String> {
        let mut names = self.files.list(folder).unwrap_or_default();
        names.sort();
        names
    }
}
