//! Expressions, as written and what becomes of them.

use super::*;

#[track_caller]
fn check(text: &str, expected: &Condition) {
    assert_eq!(Condition::parse(text).as_ref(), Ok(expected), "{text}");
}

#[track_caller]
fn check_error(text: &str, at: usize, fact: &str) {
    let mistake = Condition::parse(text).expect_err(text);
    assert!(mistake.fact.contains(fact), "{text}: {}", mistake.fact);
    assert_eq!(mistake.at, at, "{text}: {}", mistake.fact);
}

fn text(text: &str) -> Value {
    Value(vec![Piece::Text(text.to_owned())])
}

fn named(name: &str) -> Value {
    Value(vec![Piece::Named(Name::find(name).expect("a variable"))])
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let [yes, no] = [true, false].map(Condition::Constant);
    check("true", &yes);
    check(
        "true || false && !true",
        &Condition::Any(vec![
            yes.clone(),
            Condition::All(vec![no.clone(), not(yes.clone())]),
        ]),
    );
    check(
        "(true||false)&&true",
        &Condition::All(vec![Condition::Any(vec![yes.clone(), no]), yes]),
    );
}

#[test]
fn comparisons() {
    check(
        "%{HTTP_HOST} == 'a.example'",
        &Condition::Text(named("HTTP_HOST"), Order::Equal, text("a.example")),
    );
    check(
        "! %{request_uri} != \"/a\"",
        &not(Condition::Text(
            named("REQUEST_URI"),
            Order::NotEqual,
            text("/a"),
        )),
    );
    check(
        "%{TIME_HOUR} -lt 12",
        &Condition::Number(named("TIME_HOUR"), Order::Less, text("12")),
    );
    check(
        "3 ge 2",
        &Condition::Number(text("3"), Order::GreaterOrEqual, text("2")),
    );
    check(
        "%{REQUEST_METHOD} in { 'GET', \"HEAD\" }",
        &Condition::Listed(named("REQUEST_METHOD"), vec![text("GET"), text("HEAD")]),
    );
    check(
        "-n %{QUERY_STRING}",
        &Condition::Test(Test::NotEmpty, named("QUERY_STRING")),
    );
    check(
        "-R '10.0.0.0/8'",
        &Condition::InNetwork(
            named("REMOTE_ADDR"),
            IpNetwork::new("10.0.0.0".parse().expect("an address"), 8).expect("a network"),
        ),
    );
    check(
        "('a' . 'b') == 'ab'",
        &Condition::Text(text("ab"), Order::Equal, text("ab")),
    );
}

#[test]
fn words_are_joined() {
    check(
        "'a' . %{HTTP_HOST}.\"b%{REQUEST_URI}$1\" = $0",
        &Condition::Text(
            Value(vec![
                Piece::Text("a".into()),
                Piece::Named(Name::Header(Header::Host)),
                Piece::Text("b".into()),
                Piece::Named(Name::RequestUri),
                Piece::Group(1),
            ]),
            Order::Equal,
            Value(vec![Piece::Group(0)]),
        ),
    );
}

#[test]
fn functions() {
    let header = |name: &str| Value(vec![Piece::Call(Function::RequestHeader, text(name))]);
    check(
        "req('X-A') == ''",
        &Condition::Text(header("X-A"), Order::Equal, Value::default()),
    );
    check(
        "tolower(%{req:X-A}) == 'a'",
        &Condition::Text(
            Value(vec![Piece::Call(Function::ToLower, header("X-A"))]),
            Order::Equal,
            text("a"),
        ),
    );
}

#[test]
fn regular_expressions() {
    let found = |pattern, negated| Condition::Found {
        value: named("REQUEST_URI"),
        pattern,
        negated,
    };
    let plain = |text| Pattern::new(text).expect("a pattern");
    check("%{REQUEST_URI} =~ m#^/a/b#", &found(plain("^/a/b"), false));
    check(
        r"%{REQUEST_URI} !~ /^\/a[0-9]/",
        &found(plain("^/a[0-9]"), true),
    );
    let ignoring = Pattern::ignoring_case("A|B").expect("a pattern");
    check(
        "%{REQUEST_URI} =~ /A|B/i && true",
        &Condition::All(vec![found(ignoring, false), Condition::Constant(true)]),
    );
}

#[test]
fn mistakes_have_a_place() {
    check_error("", 0, "a word is expected");
    check_error("true true", 5, "after the end");
    check_error("%{NO_SUCH} == 'a'", 0, "no variable \"NO_SUCH\"");
    check_error("'a' == %{nosuch:x}", 7, "no function \"nosuch\"");
    check_error("'a' =~ b", 7, "regular expression");
    check_error("'a' =~ /(/", 7, "unclosed group");
    check_error("'a' == 'b", 9, "closing quote");
    check_error("'a' like 'b'", 4, "comparison");
    check_error("'a' ==", 6, "a word is expected");
    check_error("%{HTTP_HOST", 0, "\"}\" is missing");
    check_error("'1.1.1.1' -ipmatch 'x'", 19, "a network");
    check_error("(true", 5, "\")\" is missing");
    check_error("-U 'x'", 0, "not supported yet");
    check_error("HTTP_HOST == 'a'", 0, "in quotes");
}

#[test]
fn nesting_is_bounded() {
    let deep = "(".repeat(100_000);
    assert!(Condition::parse(&deep).is_err());
    let deep = "!".repeat(10_000);
    assert!(Condition::parse(&deep).is_err());
    let long = format!("{}true", "true && ".repeat(1000));
    assert!(Condition::parse(&long).is_ok());
    assert!(Condition::parse(&long.repeat(10)).is_err());
}

#[test]
fn templates() {
    let value = Value::parse("https://%{HTTP_HOST}%{REQUEST_URI}").expect("a template");
    assert_eq!(value.0.len(), 3);
    assert_eq!(
        Value::parse("it's \"plain\"")
            .expect("a template")
            .constant(),
        Some("it's \"plain\"")
    );
}
