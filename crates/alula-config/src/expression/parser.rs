//! Text to a [`Condition`] or a [`Value`] (httpd's `util_expr_parse.y`): `!` binds closest, then `&&`, then `||`.

use super::{Condition, Function, Mistake, Name, Order, Piece, Test, Value};
use crate::pattern::Pattern;
use crate::site::IpNetwork;

/// How deeply brackets, negations and calls may be nested.
const DEPTH_MAX: usize = 16;

/// How many characters an expression may have.
const LENGTH_MAX: usize = 16 * 1024;

/// What may stand around a regular expression after `m`.
const DELIMITERS: &str = "/#$%^|?!'\",;:._-";

pub(super) fn condition(text: &str) -> Result<Condition, Mistake> {
    let mut parser = Parser::new(text)?;
    let condition = parser.either()?;
    parser.blanks();
    match parser.peek() {
        None => Ok(condition),
        Some(c) => Err(parser.wrong(format!("{c:?} after the end of the condition"))),
    }
}

pub(super) fn template(text: &str) -> Result<Value, Mistake> {
    let mut parser = Parser::new(text)?;
    parser.text(None)
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

type Read<T> = Result<T, Mistake>;

impl Parser {
    fn new(text: &str) -> Read<Self> {
        let parser = Self {
            chars: text.chars().collect(),
            at: 0,
            depth: 0,
        };
        if parser.chars.len() > LENGTH_MAX {
            return Err(parser.wrong(format!("is longer than {LENGTH_MAX} characters")));
        }
        Ok(parser)
    }

    fn wrong(&self, fact: impl Into<String>) -> Mistake {
        Mistake {
            at: self.at,
            fact: fact.into(),
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn looks_at(&self, text: &str) -> bool {
        let mut at = self.at;
        text.chars().all(|c| {
            at += 1;
            self.chars.get(at - 1) == Some(&c)
        })
    }

    /// Takes a mark, blanks before it included.
    fn take(&mut self, mark: &str) -> bool {
        self.blanks();
        let found = self.looks_at(mark);
        if found {
            self.at += mark.chars().count();
        }
        found
    }

    fn expect(&mut self, mark: &str) -> Read<()> {
        match self.take(mark) {
            true => Ok(()),
            false => Err(self.wrong(format!("{mark:?} is missing"))),
        }
    }

    fn identifier(&self) -> String {
        let rest = self.chars[self.at..].iter();
        let starts = self.peek().is_some_and(|c| c.is_ascii_alphabetic());
        let letters = rest.take_while(|c| c.is_ascii_alphanumeric() || **c == '_');
        letters.filter(|_| starts).collect()
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.depth -= 1;
            return Err(self.wrong(format!("is nested more than {DEPTH_MAX} deep")));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn either(&mut self) -> Read<Condition> {
        let mut any = vec![self.both()?];
        while self.take("||") {
            any.push(self.both()?);
        }
        Ok(match any.pop() {
            Some(only) if any.is_empty() => only,
            last => Condition::Any(any.into_iter().chain(last).collect()),
        })
    }

    fn both(&mut self) -> Read<Condition> {
        let mut all = vec![self.single()?];
        while self.take("&&") {
            all.push(self.single()?);
        }
        Ok(match all.pop() {
            Some(only) if all.is_empty() => only,
            last => Condition::All(all.into_iter().chain(last).collect()),
        })
    }

    fn single(&mut self) -> Read<Condition> {
        self.blanks();
        if self.take("!") {
            let inner = self.nested(Self::single)?;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.peek() == Some('(') {
            // A bracket holds a condition, or a word that is compared.
            let start = self.at;
            self.at += 1;
            let inner = self.nested(Self::either);
            match inner {
                Ok(inner) => {
                    self.expect(")")?;
                    return Ok(inner);
                }
                Err(mistake) => {
                    let further = mistake.at;
                    self.at = start;
                    return self
                        .comparison()
                        .map_err(|other| if other.at > further { other } else { mistake });
                }
            }
        }
        match self.identifier().as_str() {
            name @ ("true" | "false") => {
                self.at += name.len();
                Ok(Condition::Constant(name == "true"))
            }
            _ => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Read<Condition> {
        self.blanks();
        if self.peek() == Some('-') {
            if self.looks_at("-R") {
                self.at += 2;
                let client = Value(vec![Piece::Named(Name::RemoteAddress)]);
                return Ok(Condition::InNetwork(client, self.network()?));
            }
            let test = self.test()?;
            return Ok(Condition::Test(test, self.word()?));
        }
        let left = self.word()?;
        self.blanks();
        let operator = self.operator()?;
        match operator.as_str() {
            "=~" | "!~" => Ok(Condition::Found {
                value: left,
                pattern: self.regex()?,
                negated: operator == "!~",
            }),
            "in" => Ok(Condition::Listed(left, self.list()?)),
            "ipmatch" => Ok(Condition::InNetwork(left, self.network()?)),
            "strmatch" | "strcmatch" | "fnmatch" => Ok(Condition::Fits {
                value: left,
                pattern: self.word()?,
                ignores_case: operator == "strcmatch",
                is_path: operator == "fnmatch",
            }),
            "==" | "=" => Ok(Condition::Text(left, Order::Equal, self.word()?)),
            "!=" => Ok(Condition::Text(left, Order::NotEqual, self.word()?)),
            "<" => Ok(Condition::Text(left, Order::Less, self.word()?)),
            "<=" => Ok(Condition::Text(left, Order::LessOrEqual, self.word()?)),
            ">" => Ok(Condition::Text(left, Order::Greater, self.word()?)),
            ">=" => Ok(Condition::Text(left, Order::GreaterOrEqual, self.word()?)),
            number => {
                let order = match number {
                    "eq" => Order::Equal,
                    "ne" => Order::NotEqual,
                    "lt" => Order::Less,
                    "le" => Order::LessOrEqual,
                    "gt" => Order::Greater,
                    _ => Order::GreaterOrEqual,
                };
                Ok(Condition::Number(left, order, self.word()?))
            }
        }
    }

    /// An address, a partial one or a network, in quotes.
    fn network(&mut self) -> Read<IpNetwork> {
        self.blanks();
        let start = self.at;
        let word = self.word()?;
        let network = word.constant().and_then(crate::directives::parse_network);
        network.ok_or(Mistake {
            at: start,
            fact: "an address or a network in quotes is expected here".to_owned(),
        })
    }

    /// `-f` and its kin.
    fn test(&mut self) -> Read<Test> {
        let letter = self.chars.get(self.at + 1).copied();
        let alone = self
            .chars
            .get(self.at + 2)
            .is_none_or(|c| !c.is_ascii_alphanumeric());
        let test = match letter.filter(|_| alone) {
            Some('n') => Test::NotEmpty,
            Some('z') => Test::Empty,
            Some('T') => Test::True,
            Some('e') => Test::Exists,
            Some('f') => Test::IsFile,
            Some('d') => Test::IsDirectory,
            Some('s') => Test::HasSize,
            Some('L' | 'h') => Test::IsSymlink,
            Some('x') => Test::IsExecutable,
            Some(letter @ ('U' | 'F' | 'A')) => {
                return Err(self.wrong(format!("-{letter} is known to httpd, not supported yet")));
            }
            _ => return Err(self.wrong("there is no such test")),
        };
        self.at += 2;
        Ok(test)
    }

    /// What stands between two words, a hyphen left out.
    fn operator(&mut self) -> Read<String> {
        const MARKS: [&str; 9] = ["=~", "!~", "==", "!=", "<=", ">=", "=", "<", ">"];
        const WORDS: [&str; 11] = [
            "in",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
            "ipmatch",
            "strmatch",
            "strcmatch",
            "fnmatch",
        ];
        for mark in MARKS {
            if self.take(mark) {
                return Ok(mark.to_owned());
            }
        }
        let start = self.at;
        let hyphen = self.peek() == Some('-');
        self.at += usize::from(hyphen);
        let name = self.identifier();
        // `in` has no hyphen, what is longer must have one.
        let fits = WORDS.contains(&name.as_str())
            && match name.len() {
                2 => !(hyphen && name == "in"),
                _ => hyphen,
            };
        if fits {
            self.at += name.len();
            return Ok(name);
        }
        self.at = start;
        Err(self.wrong(match self.peek() {
            None => "ends where a comparison is expected".to_owned(),
            Some(_) => "a comparison is expected here".to_owned(),
        }))
    }

    fn list(&mut self) -> Read<Vec<Value>> {
        self.expect("{")?;
        let mut values = vec![self.word()?];
        while self.take(",") {
            values.push(self.word()?);
        }
        self.expect("}")?;
        Ok(values)
    }

    /// `/.../i` or `m#...#i`.
    fn regex(&mut self) -> Read<Pattern> {
        self.blanks();
        let start = self.at;
        if self.peek() == Some('m') {
            self.at += 1;
        }
        let delimiter = self.peek().filter(|c| match start == self.at {
            true => *c == '/',
            false => DELIMITERS.contains(*c),
        });
        let Some(delimiter) = delimiter else {
            self.at = start;
            return Err(self.wrong("a regular expression is expected here: /.../ or m#...#"));
        };
        self.at += 1;
        let mut pattern = String::new();
        loop {
            match self.peek() {
                None => {
                    return Err(self.wrong(format!(
                        "{delimiter:?} is missing after the regular expression"
                    )));
                }
                Some('\\') => {
                    self.at += 1;
                    let next = self.peek();
                    if next != Some(delimiter) {
                        pattern.push('\\');
                    }
                    pattern.extend(next);
                }
                Some(c) if c == delimiter => break,
                Some(c) => pattern.push(c),
            }
            self.at += 1;
        }
        self.at += 1;
        let mut ignores_case = false;
        while let Some(flag) = self.peek().filter(char::is_ascii_alphabetic) {
            match flag {
                'i' => ignores_case = true,
                // A dot stands for a line feed anyway.
                's' | 'g' => {}
                'm' => pattern.insert_str(0, "(?m)"),
                _ => return Err(self.wrong(format!("there is no flag {flag:?}"))),
            }
            self.at += 1;
        }
        let compiled = match ignores_case {
            true => Pattern::ignoring_case(&pattern),
            false => Pattern::new(&pattern),
        };
        compiled.map_err(|error| Mistake {
            at: start,
            fact: format!("regular expression {pattern:?}: {error}"),
        })
    }

    /// A word, and those joined to it by dots.
    fn word(&mut self) -> Read<Value> {
        let mut value = self.single_word()?;
        while self.take(".") {
            value.0.extend(self.single_word()?.0);
        }
        Ok(joined(value))
    }

    fn single_word(&mut self) -> Read<Value> {
        self.blanks();
        match self.peek() {
            None => Err(self.wrong("ends where a word is expected")),
            Some(quote @ ('\'' | '"')) => {
                self.at += 1;
                let value = self.text(Some(quote))?;
                self.at += 1;
                Ok(value)
            }
            Some('%') if self.looks_at("%{") => Ok(Value(vec![self.variable()?])),
            Some('$') => {
                self.at += 1;
                let digit = self.peek().and_then(|c| c.to_digit(10));
                let Some(digit) = digit else {
                    return Err(self.wrong("a digit is expected after the dollar sign"));
                };
                self.at += 1;
                Ok(Value(vec![Piece::Group(digit as u8)]))
            }
            Some('(') => {
                self.at += 1;
                let value = self.nested(Self::word)?;
                self.expect(")")?;
                Ok(value)
            }
            Some(c) if c.is_ascii_digit() => {
                let digits: String = self.chars[self.at..]
                    .iter()
                    .take_while(|c| c.is_ascii_digit())
                    .collect();
                self.at += digits.len();
                Ok(Value(vec![Piece::Text(digits)]))
            }
            Some(_) => self.call(),
        }
    }

    /// `name(word)`.
    fn call(&mut self) -> Read<Value> {
        let name = self.identifier();
        if name.is_empty() {
            return Err(self.wrong("a word is expected here"));
        }
        let start = self.at;
        self.at += name.len();
        if !self.take("(") {
            self.at = start;
            return Err(self.wrong(format!(
                "{name:?} must be in quotes, or a function with its argument in brackets"
            )));
        }
        let Some(function) = Function::find(&name) else {
            self.at = start;
            return Err(self.wrong(format!("there is no function {name:?}")));
        };
        let argument = self.nested(Self::word)?;
        self.expect(")")?;
        Ok(Value(vec![Piece::Call(function, argument)]))
    }

    /// `%{NAME}` or `%{function:argument}`.
    fn variable(&mut self) -> Read<Piece> {
        let start = self.at;
        let rest = &self.chars[self.at + 2..];
        let Some(end) = rest.iter().position(|c| *c == '}') else {
            return Err(self.wrong("\"}\" is missing"));
        };
        let inside: String = rest[..end].iter().collect();
        self.at += 2 + end + 1;
        let wrong = |fact: String| Err(Mistake { at: start, fact });
        match inside.split_once(':') {
            Some((name, argument)) => match Function::find(name) {
                Some(function) => {
                    let argument = Value(vec![Piece::Text(argument.to_owned())]);
                    Ok(Piece::Call(function, argument))
                }
                None if name.eq_ignore_ascii_case("SSL") => {
                    Ok(Piece::Named(Name::Tls(argument.to_owned())))
                }
                None => wrong(format!("there is no function {name:?}")),
            },
            None => match Name::find(&inside) {
                Some(name) => Ok(Piece::Named(name)),
                None => wrong(format!("there is no variable {inside:?}")),
            },
        }
    }

    /// Text with variables in it, up to a quote or the end.
    fn text(&mut self, quote: Option<char>) -> Read<Value> {
        let mut value = Value::default();
        let mut text = String::new();
        loop {
            let piece = match self.peek() {
                None if quote.is_none() => break,
                None => return Err(self.wrong("a closing quote is missing")),
                Some(c) if Some(c) == quote => break,
                Some('\\') if quote.is_some() => {
                    self.at += 1;
                    match self.peek() {
                        Some('n') => text.push('\n'),
                        Some('t') => text.push('\t'),
                        Some('r') => text.push('\r'),
                        Some('b') => text.push('\u{8}'),
                        Some('f') => text.push('\u{c}'),
                        other => text.extend(other),
                    }
                    self.at += 1;
                    continue;
                }
                Some('%') if self.looks_at("%{") => self.variable()?,
                Some('$')
                    if self
                        .chars
                        .get(self.at + 1)
                        .is_some_and(char::is_ascii_digit) =>
                {
                    let digit = self.chars[self.at + 1].to_digit(10).unwrap_or(0);
                    self.at += 2;
                    Piece::Group(digit as u8)
                }
                Some(c) => {
                    text.push(c);
                    self.at += 1;
                    continue;
                }
            };
            if !text.is_empty() {
                value.0.push(Piece::Text(std::mem::take(&mut text)));
            }
            value.0.push(piece);
        }
        if !text.is_empty() {
            value.0.push(Piece::Text(text));
        }
        Ok(value)
    }
}

/// With texts that follow one another made one.
fn joined(value: Value) -> Value {
    let mut pieces: Vec<Piece> = Vec::new();
    for piece in value.0 {
        match (pieces.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
            (_, piece) => pieces.push(piece),
        }
    }
    Value(pieces)
}
