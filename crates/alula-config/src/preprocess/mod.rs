//! Decides which lines take part: `Include`, `Define` and `${}`, `<IfModule>`, `<IfDefine>`, `<IfVersion>`, `<IfFile>`, `<Macro>`.
//!
//! All of them act while reading, in file order, as in httpd: a `Define` inside a section counts from there on, everywhere;
//! the body of a false condition is skipped unread, so it may hold anything as long as its sections are balanced.

mod condition;
mod include;
mod macros;
pub(crate) mod modules;
mod variables;

use crate::diagnostic::{Diagnostic, Severity};
use crate::load::{Files, LoadOptions};
use crate::syntax::lexer::{self, Line, Word};
use crate::syntax::parser::{Closing, Directive, Node, Section, Statement};
use crate::syntax::span::{Sources, Span};
use macros::{Macro, is_macro};
use modules::Modules;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use variables::Variables;

/// How long a variable may be; `Define A ${A}${A}` doubles.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// The lines that take part, as a tree.
pub(crate) struct Preprocessed {
    pub nodes: Vec<Node>,
    pub sources: Sources,
    pub diagnostics: Vec<Diagnostic>,
    /// Where relative paths start.
    pub server_root: PathBuf,
}

/// Reads the configuration twice when it needs to know which of mod_wsgi and mod_python to stand in for: the first reading
/// finds out which of the two the configuration uses.
pub(crate) fn preprocess(options: &LoadOptions, files: &dyn Files) -> Preprocessed {
    let mut first = Reader::new(options, files, Modules::default());
    let nodes = first.read_all(options);
    let claims = first.modules.claims();
    if claims == Modules::default() {
        return first.done(nodes);
    }
    let mut second = Reader::new(options, files, claims);
    let nodes = second.read_all(options);
    second.done(nodes)
}

struct Reader<'a> {
    files: &'a dyn Files,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    variables: Variables<'a>,
    modules: Modules,
    server_root: PathBuf,
    strict: bool,
    files_read: usize,
    depth: usize,
    /// By name in lower case.
    macros: BTreeMap<String, Macro>,
    macros_in_use: Vec<String>,
    macro_uses: usize,
}

/// An open section of the file being read.
struct Frame {
    name: Word,
    words: Vec<Word>,
    /// A condition that holds: its children belong to the section around it.
    transparent: bool,
    children: Vec<Node>,
}

impl<'a> Reader<'a> {
    fn new(options: &'a LoadOptions, files: &'a dyn Files, modules: Modules) -> Self {
        let folder = options.file.parent().unwrap_or(Path::new("/"));
        Self {
            files,
            sources: Sources::default(),
            diagnostics: Vec::new(),
            variables: Variables::new(options),
            modules,
            server_root: options
                .server_root
                .clone()
                .unwrap_or_else(|| folder.to_owned()),
            strict: options.strict,
            files_read: 0,
            depth: 0,
            macros: BTreeMap::new(),
            macros_in_use: Vec::new(),
            macro_uses: 0,
        }
    }

    fn done(self, nodes: Vec<Node>) -> Preprocessed {
        Preprocessed {
            nodes,
            sources: self.sources,
            diagnostics: self.diagnostics,
            server_root: self.server_root,
        }
    }

    fn read_all(&mut self, options: &LoadOptions) -> Vec<Node> {
        let mut nodes = self.read_text("-C".into(), &options.before.join("\n"), None);
        match self.files.read(&options.file) {
            Ok(bytes) => nodes.extend(self.read_bytes(options.file.clone(), &bytes, None)),
            Err(error) => self.diagnostics.push(Diagnostic {
                severity: Severity::Error,
                message: format!("cannot read {:?}: {}", options.file, reason(&error)),
                place: None,
                included_from: Vec::new(),
                hint: None,
            }),
        }
        nodes.extend(self.read_text("-c".into(), &options.after.join("\n"), None));
        nodes
    }

    fn read_bytes(&mut self, path: PathBuf, bytes: &[u8], from: Option<Span>) -> Vec<Node> {
        let text = String::from_utf8_lossy(bytes);
        self.read_text(path, &text, from)
    }

    /// Reads one file.
    fn read_text(&mut self, path: PathBuf, text: &str, from: Option<Span>) -> Vec<Node> {
        let file = self.sources.add(path, text, from);
        self.read_lines(lexer::lines(file, text))
    }

    /// Reads the lines of one file, or of one macro. Their sections must balance among them.
    fn read_lines(&mut self, lines: Vec<Line>) -> Vec<Node> {
        let mut open: Vec<Frame> = Vec::new();
        let mut nodes = Vec::new();
        let mut lines = lines.into_iter();
        while let Some(line) = lines.next() {
            match Statement::parse(&line) {
                Statement::Directive { name, rest } => {
                    let made = self.directive(name, &rest);
                    innermost(&mut open, &mut nodes).extend(made);
                }
                Statement::Open {
                    name,
                    rest,
                    closing,
                } => {
                    let rest = self.check_open(&name, &rest, closing);
                    let words = rest.words();
                    if is_macro(&name) {
                        self.define_macro(&name, &words, &mut lines);
                        continue;
                    }
                    match self.condition(&name, &words) {
                        Some(false) => self.skip(&name, &mut lines),
                        holds => open.push(Frame {
                            name,
                            words,
                            transparent: holds.is_some(),
                            children: Vec::new(),
                        }),
                    }
                }
                Statement::Close { name, alone } => self.close(&name, alone, &mut open, &mut nodes),
            }
        }
        while let Some(frame) = open.pop() {
            let message = format!("<{}> was not closed", frame.name.text);
            self.error(frame.name.span, message);
            attach(frame, innermost(&mut open, &mut nodes));
        }
        nodes
    }

    fn check_open(&mut self, name: &Word, rest: &Line, closing: Closing) -> Line {
        match closing {
            Closing::Closed => {}
            Closing::Missing => {
                self.error(
                    name.span,
                    format!("<{}> directive missing closing '>'", name.text),
                );
            }
            Closing::Trailing(span) => {
                let message = format!("text after <{}> is ignored", name.text);
                self.lenient(span, message);
            }
        }
        self.expand(rest)
    }

    fn close(&mut self, name: &Word, alone: bool, open: &mut Vec<Frame>, nodes: &mut Vec<Node>) {
        if !alone {
            self.error(
                name.span,
                format!("</{}> must stand alone on its line", name.text),
            );
        }
        let matching = open
            .iter()
            .rposition(|frame| frame.name.text.eq_ignore_ascii_case(&name.text));
        let Some(matching) = matching else {
            let message = match open.last() {
                Some(frame) => format!("Expected </{}> but saw </{}>", frame.name.text, name.text),
                None => format!("</{0}> without matching <{0}> section", name.text),
            };
            return self.error(name.span, message);
        };
        while open.len() > matching {
            let Some(frame) = open.pop() else { return };
            if open.len() > matching {
                self.error(
                    frame.name.span,
                    format!("<{}> was not closed", frame.name.text),
                );
            }
            attach(frame, innermost(open, nodes));
        }
    }

    /// Skips the body of a false condition without looking at more than its sections.
    fn skip(&mut self, name: &Word, lines: &mut std::vec::IntoIter<Line>) {
        let mut open = vec![name.clone()];
        for line in lines {
            match Statement::parse(&line) {
                Statement::Directive { name, .. } => self.modules.used(&name.text, true),
                Statement::Open { name, .. } => open.push(name),
                Statement::Close { name, .. } => {
                    let Some(expected) = open.pop() else { return };
                    if !expected.text.eq_ignore_ascii_case(&name.text) {
                        let message =
                            format!("Expected </{}> but saw </{}>", expected.text, name.text);
                        self.error(name.span, message);
                    }
                    if open.is_empty() {
                        return;
                    }
                }
            }
        }
        self.error(name.span, format!("<{}> was not closed", name.text));
    }

    /// Carries out what acts while reading; everything else goes into the tree.
    fn directive(&mut self, name: Word, rest: &Line) -> Vec<Node> {
        self.modules.used(&name.text, false);
        let rest = self.expand(rest);
        let words = rest.words();
        match name.text.to_ascii_lowercase().as_str() {
            "define" => self.define(&name, &words),
            "undefine" => self.undefine(&name, &words),
            "include" => return self.include(&name, &words, true),
            "includeoptional" => return self.include(&name, &words, false),
            "use" => return self.use_macro(&name, &words),
            "undefmacro" => {
                self.undefine_macro(&name, &words);
                return Vec::new();
            }
            "loadmodule" => {
                if let Some(module) = words.first() {
                    self.modules.load(&module.text);
                }
            }
            "serverroot" => {
                if let [root] = words.as_slice() {
                    self.server_root = self.server_root.join(&root.text);
                }
            }
            _ => {}
        }
        vec![Node::Directive(Directive { name, words })]
    }

    fn define(&mut self, name: &Word, words: &[Word]) {
        match words {
            [variable, ..] if variable.text.contains(':') => {
                self.error(
                    variable.span,
                    "Define: a variable's name may not hold \":\"".into(),
                );
            }
            [_, value] if value.text.len() > VALUE_BYTES_MAX => {
                let message = format!("Define: a value may have {VALUE_BYTES_MAX} bytes");
                self.error(value.span, message);
            }
            [variable] => self.variables.define(&variable.text, ""),
            [variable, value] => self.variables.define(&variable.text, &value.text),
            _ => self.error(
                name.span,
                "Define takes one or two arguments, a name and a value".into(),
            ),
        }
    }

    fn undefine(&mut self, name: &Word, words: &[Word]) {
        match words {
            [variable] => self.variables.undefine(&variable.text),
            _ => self.error(name.span, "UnDefine takes one argument, a name".into()),
        }
    }

    fn expand(&mut self, line: &Line) -> Line {
        let (line, undefined) = self.variables.expand(line);
        for (name, span) in undefined {
            let message = format!("${{{name}}} is not defined and stays as it is");
            self.warn(span, message);
        }
        line
    }

    fn error(&mut self, span: Span, message: String) {
        self.diagnostics
            .push(self.sources.diagnostic(Severity::Error, span, message));
    }

    fn warn(&mut self, span: Span, message: String) {
        self.diagnostics
            .push(self.sources.diagnostic(Severity::Warning, span, message));
    }

    /// What is accepted out of kindness.
    fn lenient(&mut self, span: Span, message: String) {
        let severity = if self.strict {
            Severity::Error
        } else {
            Severity::Warning
        };
        self.diagnostics
            .push(self.sources.diagnostic(severity, span, message));
    }
}

fn innermost<'n>(open: &'n mut [Frame], nodes: &'n mut Vec<Node>) -> &'n mut Vec<Node> {
    open.last_mut().map_or(nodes, |frame| &mut frame.children)
}

fn attach(frame: Frame, around: &mut Vec<Node>) {
    if frame.transparent {
        around.extend(frame.children);
    } else {
        around.push(Node::Section(Section {
            name: frame.name,
            words: frame.words,
            children: frame.children,
        }));
    }
}

/// An operating system error in lower case, without its number.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
