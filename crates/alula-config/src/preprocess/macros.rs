//! `<Macro>`, `Use`, `UndefMacro`: a text with parameters, read in place.
//!
//! A body is kept as lines, unread: its `${}` and conditions count where it is used. What is said about a line of it points at the
//! body, and names the `Use` as an including file would be.

use super::Reader;
use crate::syntax::lexer::{Char, Line, Word};
use crate::syntax::parser::{Node, Statement};

/// How deep macros may use one another.
const DEPTH_MAX: usize = 20;

/// How many times macros may be used in one configuration.
const USES_MAX: usize = 100_000;

/// How long a line may become when values take the place of parameters, in characters.
const LINE_CHARS_MAX: usize = 64 * 1024;

#[derive(Clone)]
pub(super) struct Macro {
    parameters: Vec<String>,
    body: Vec<Line>,
}

impl Reader<'_> {
    /// Takes in a macro up to its end.
    pub(super) fn define_macro(
        &mut self,
        open: &Word,
        words: &[Word],
        lines: &mut std::vec::IntoIter<Line>,
    ) {
        let body = self.macro_body(open, lines);
        let Some((name, parameters)) = words.split_first() else {
            return self.error(open.span, "<Macro> requires a name".into());
        };
        for (at, parameter) in parameters.iter().enumerate() {
            let text = &parameter.text;
            if text.is_empty() {
                return self.error(parameter.span, "<Macro>: a parameter has no name".into());
            }
            if parameters[..at].iter().any(|earlier| earlier.text == *text) {
                let message = format!("<Macro>: the parameter {text:?} stands there twice");
                return self.error(parameter.span, message);
            }
            if !text.starts_with(['$', '%', '@']) {
                let message = format!(
                    "<Macro>: every {text:?} in the body is replaced, also within words; $, % or @ in front is usual"
                );
                self.warn(parameter.span, message);
            }
        }
        let made = Macro {
            parameters: parameters.iter().map(|word| word.text.clone()).collect(),
            body,
        };
        if self.macros.insert(name.text.to_lowercase(), made).is_some() {
            let message = format!("<Macro>: {:?} is defined again", name.text);
            self.warn(name.span, message);
        }
    }

    fn macro_body(&mut self, open: &Word, lines: &mut std::vec::IntoIter<Line>) -> Vec<Line> {
        let mut body = Vec::new();
        let mut depth = 0usize;
        for line in lines {
            match Statement::parse(&line) {
                Statement::Open { name, .. } if is_macro(&name) => depth += 1,
                Statement::Close { name, alone } if is_macro(&name) => {
                    if depth == 0 {
                        if !alone {
                            let message = "</Macro> must stand alone on its line".to_owned();
                            self.error(name.span, message);
                        }
                        return body;
                    }
                    depth -= 1;
                }
                _ => {}
            }
            body.push(line);
        }
        self.error(open.span, "<Macro> was not closed".into());
        body
    }

    /// Reads a macro's body with values for its parameters.
    pub(super) fn use_macro(&mut self, directive: &Word, words: &[Word]) -> Vec<Node> {
        let made = self.lines_of_use(directive, words);
        let lines = match made {
            Ok(lines) => lines,
            Err(message) => {
                self.error(directive.span, format!("Use: {message}"));
                return Vec::new();
            }
        };
        let name = words[0].text.to_lowercase();
        self.macros_in_use.push(name);
        let nodes = self.read_lines(lines);
        self.macros_in_use.pop();
        nodes
    }

    fn lines_of_use(&mut self, directive: &Word, words: &[Word]) -> Result<Vec<Line>, String> {
        let Some((name, values)) = words.split_first() else {
            return Err("requires the name of a macro".into());
        };
        let key = name.text.to_lowercase();
        let Some(used) = self.macros.get(&key).cloned() else {
            return Err(format!("the macro {:?} is not defined", name.text));
        };
        if self.macros_in_use.contains(&key) {
            return Err(format!("the macro {:?} uses itself", name.text));
        }
        if self.macros_in_use.len() >= DEPTH_MAX {
            return Err(format!("macros use one another more than {DEPTH_MAX} deep"));
        }
        self.macro_uses += 1;
        if self.macro_uses > USES_MAX {
            return Err(format!("macros are used more than {USES_MAX} times"));
        }
        if values.len() != used.parameters.len() {
            return Err(format!(
                "the macro {:?} takes {} values, not {}",
                name.text,
                used.parameters.len(),
                values.len()
            ));
        }
        let Some(first) = used.body.first() else {
            return Ok(Vec::new());
        };
        let file = self.sources.again(first.file, directive.span);
        let mut lines = Vec::with_capacity(used.body.len());
        for line in &used.body {
            let chars = replaced(&line.chars, &used.parameters, values);
            if chars.len() > LINE_CHARS_MAX {
                let message = format!("a line gets longer than {LINE_CHARS_MAX} characters");
                return Err(message);
            }
            lines.push(Line { file, chars });
        }
        Ok(lines)
    }

    pub(super) fn undefine_macro(&mut self, directive: &Word, words: &[Word]) {
        let [name] = words else {
            let message = "UndefMacro takes one argument, a name".to_owned();
            return self.error(directive.span, message);
        };
        if self.macros.remove(&name.text.to_lowercase()).is_none() {
            let message = format!("UndefMacro: the macro {:?} is not defined", name.text);
            self.error(name.span, message);
        }
    }
}

pub(super) fn is_macro(name: &Word) -> bool {
    name.text.eq_ignore_ascii_case("macro")
}

/// Puts values in the place of parameters; of two that begin at the same place the longer counts. A value is not searched again.
fn replaced(chars: &[Char], parameters: &[String], values: &[Word]) -> Vec<Char> {
    let mut made = Vec::with_capacity(chars.len());
    let mut rest = chars;
    while let Some(first) = rest.first() {
        let fitting = parameters.iter().zip(values).filter(|(parameter, _)| {
            let mut at = rest.iter().map(|c| c.value);
            parameter.chars().all(|c| at.next() == Some(c))
        });
        let longest = fitting.max_by_key(|(parameter, _)| parameter.len());
        match longest {
            Some((parameter, value)) => {
                let value = value.text.chars();
                made.extend(value.map(|value| Char { value, ..*first }));
                rest = &rest[parameter.chars().count()..];
                if made.len() > LINE_CHARS_MAX {
                    break;
                }
            }
            None => {
                made.push(*first);
                rest = &rest[1..];
            }
        }
    }
    made
}
