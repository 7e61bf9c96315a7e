//! Who may pass, as httpd decides it: `Require` with its sections, `Order`, the methods of `<Limit>`, inheritance.

use alula_config::site::{Asker, User};
use alula_config::{LoadOptions, MemoryFiles, load_with};
use alula_routing::{RouteTable, Verdict, VirtualHostId};

fn table(text: &str) -> RouteTable {
    let text = format!("Listen 127.0.0.1:80\nDocumentRoot /srv\n{text}");
    let files = MemoryFiles::default()
        .directory("/srv")
        .file("/site.conf", text);
    let loaded = load_with(&LoadOptions::new("/site.conf"), &files);
    RouteTable::new(&loaded.expect("a valid configuration").site)
}

/// `method path client` and whether it passes.
#[track_caller]
fn check(config: &str, expected: &[(&str, bool)]) {
    let table = table(config);
    for (request, expected) in expected {
        let mut words = request.split_whitespace();
        let mut word = || words.next().expect("three words");
        let (method, path, client) = (word(), word(), word());
        let variables = [("set".to_owned(), String::new())];
        let asker = Asker {
            client: client.parse().expect("an address"),
            local: "192.0.2.1".parse().expect("an address"),
            secure: false,
            certified: false,
            method,
            variables: &variables,
            expressions: None,
            user: None,
            script: None,
        };
        let route = table.find(VirtualHostId(0), path.as_bytes()).route;
        let passes = route.access.judge(&asker) == Verdict::Pass;
        assert_eq!(passes, *expected, "{request}");
    }
}

/// A `<Location />` with these lines.
#[track_caller]
fn check_lines(lines: &str, expected: &[(&str, bool)]) {
    check(&format!("<Location />\n{lines}\n</Location>"), expected);
}

#[test]
fn one_line_of_several_suffices() {
    check_lines(
        "Require ip 10.1\nRequire ip 10.2",
        &[
            ("GET / 10.1.0.1", true),
            ("GET / 10.2.0.1", true),
            ("GET / 10.3.0.1", false),
        ],
    );
}

#[test]
fn all_of_a_require_all() {
    check_lines(
        "<RequireAll>\nRequire all granted\nRequire not ip 10.1\nRequire not method DELETE\n</RequireAll>",
        &[
            ("GET / 10.2.0.1", true),
            ("GET / ::ffff:10.1.0.1", false),
            ("DELETE / 10.2.0.1", false),
        ],
    );
}

#[test]
fn a_require_none_refuses_and_never_grants() {
    check_lines(
        "<RequireAll>
            <RequireNone>\nRequire ip 10.1\nRequire ip 10.2\n</RequireNone>
            Require ip 10
        </RequireAll>",
        &[
            ("GET / 10.1.0.1", false),
            ("GET / 10.3.0.1", true),
            ("GET / 11.0.0.1", false),
        ],
    );
}

#[test]
fn a_nested_all_of_negatives_that_do_not_refuse_says_nothing() {
    check_lines(
        "<RequireAny>
            <RequireAll>\nRequire not ip 10.1\nRequire ip 10\n</RequireAll>
            Require local
        </RequireAny>",
        &[
            ("GET / 10.2.0.1", true),
            ("GET / 10.1.0.1", false),
            ("GET / 127.0.0.1", true),
        ],
    );
}

#[test]
fn variables_and_methods() {
    check_lines("Require env other set\n", &[("GET / 10.0.0.1", true)]);
    check_lines("Require env other", &[("GET / 10.0.0.1", false)]);
    check_lines(
        "Require method GET",
        &[
            ("GET / 10.0.0.1", true),
            ("HEAD / 10.0.0.1", true),
            ("get / 10.0.0.1", false),
            ("POST / 10.0.0.1", false),
        ],
    );
}

#[test]
fn lines_in_a_limit_are_for_its_methods() {
    check_lines(
        "<Limit POST PUT>\nRequire local\n</Limit>",
        &[
            ("GET / 10.0.0.1", true),
            ("POST / 10.0.0.1", false),
            ("POST / 127.0.0.1", true),
        ],
    );
    check_lines(
        "<LimitExcept GET>\nRequire local\n</LimitExcept>\nRequire ip 10.1",
        &[
            ("GET / 10.2.0.1", false),
            ("HEAD / 10.1.0.1", true),
            ("POST / 10.1.0.1", true),
            ("ODD / 127.0.0.1", true),
            ("ODD / 10.2.0.1", false),
        ],
    );
    check_lines(
        "<RequireAll>\n<Limit POST>\nRequire local\n</Limit>\nRequire not ip 10.1\n</RequireAll>",
        &[
            ("GET / 10.2.0.1", true),
            ("GET / 10.1.0.1", false),
            ("POST / 10.2.0.1", false),
        ],
    );
    check_lines(
        "<RequireAll>\n<Limit POST>\nRequire local\n</Limit>\n</RequireAll>\nRequire ip 10.1",
        &[
            ("GET / 10.2.0.1", false),
            ("GET / 10.1.0.1", true),
            ("POST / 127.0.0.1", true),
        ],
    );
    check_lines(
        "<Limit POST>\nOrder allow,deny\nAllow from 127\n</Limit>",
        &[
            ("GET / 10.0.0.1", true),
            ("POST / 10.0.0.1", false),
            ("POST / 127.0.0.1", true),
        ],
    );
}

#[test]
fn sections_replace_what_they_inherit_unless_they_merge() {
    let inner = |merging: &str| {
        format!(
            "<Location />\nRequire ip 10.1 10.2\n</Location>
            <Location /in>\n{merging}\nRequire ip 10.2 10.3\n</Location>"
        )
    };
    let cases = [
        ("", [false, true, true, false]),
        ("AuthMerging Off", [false, true, true, false]),
        ("AuthMerging And", [false, true, false, false]),
        ("AuthMerging Or", [true, true, true, false]),
    ];
    for (merging, [one, two, three, four]) in cases {
        check(
            &inner(merging),
            &[
                ("GET /in 10.1.0.1", one),
                ("GET /in 10.2.0.1", two),
                ("GET /in 10.3.0.1", three),
                ("GET /in 10.4.0.1", four),
            ],
        );
    }
    check(
        "<Location />\nRequire all denied\n</Location>
        <Location /in>\nAuthMerging Off\n</Location>
        <Location /in/and>\nAuthMerging And\n</Location>
        <Location /with>\nAuthMerging And\n</Location>",
        &[
            ("GET / 10.0.0.1", false),
            ("GET /in 10.0.0.1", true),
            ("GET /in/and 10.0.0.1", true),
            ("GET /with 10.0.0.1", false),
        ],
    );
}

#[test]
fn variables_in_allow_and_deny() {
    check_lines(
        "Order deny,allow\nDeny from all\nAllow from env=set",
        &[("GET / 10.0.0.1", true)],
    );
    check_lines("Deny from env=!set", &[("GET / 10.0.0.1", true)]);
    check_lines("Deny from env=!other", &[("GET / 10.0.0.1", false)]);
}

/// The verdicts for a client that has not said who it is, then for `ann` in `staff`, then for `bob` in no group.
#[track_caller]
fn check_user(lines: &str, expected: [Verdict; 3]) {
    let table = table(&format!("<Location />\n{lines}\n</Location>"));
    let route = table.find(VirtualHostId(0), b"/").route;
    let groups = ["staff".to_owned()];
    let ann = User {
        name: "ann",
        groups: &groups,
    };
    let bob = User {
        name: "bob",
        groups: &[],
    };
    let verdicts = [None, Some(ann), Some(bob)].map(|user| {
        route.access.judge(&Asker {
            client: "10.0.0.1".parse().expect("an address"),
            local: "192.0.2.1".parse().expect("an address"),
            secure: false,
            certified: false,
            method: "GET",
            variables: &[],
            expressions: None,
            user,
            script: None,
        })
    });
    assert_eq!(verdicts, expected, "{lines}");
}

#[test]
fn users_and_groups() {
    use Verdict::{AskUser, Pass, Refuse};
    check_user("Require valid-user", [AskUser, Pass, Pass]);
    check_user("Require user ann eve", [AskUser, Pass, Refuse]);
    check_user("Require group staff", [AskUser, Pass, Refuse]);
    check_user(
        "Require group staff\nRequire user bob",
        [AskUser, Pass, Pass],
    );
    check_user("Require valid-user\nRequire ip 10", [Pass, Pass, Pass]);
    check_user("Require valid-user\nRequire ip 11", [AskUser, Pass, Pass]);
    check_user(
        "<RequireAll>\nRequire valid-user\nRequire ip 11\n</RequireAll>",
        [Refuse, Refuse, Refuse],
    );
    check_user(
        "<RequireAll>\nRequire valid-user\nRequire not user bob\n</RequireAll>",
        [AskUser, Pass, Refuse],
    );
    // As in httpd: who has not said who they are is not bob.
    check_user(
        "<RequireAll>\nRequire all granted\nRequire not user bob\n</RequireAll>",
        [Pass, Pass, Refuse],
    );
}

#[test]
fn satisfy_says_whether_address_and_user_must_both_fit() {
    use Verdict::{AskUser, Pass, Refuse};
    let rules = |satisfy: &str, network: &str| {
        format!(
            "Order deny,allow\nDeny from all\nAllow from {network}\nRequire user ann\n{satisfy}"
        )
    };
    check_user(&rules("", "10"), [AskUser, Pass, Refuse]);
    check_user(&rules("Satisfy All", "11"), [Refuse, Refuse, Refuse]);
    check_user(&rules("Satisfy Any", "10"), [Pass, Pass, Pass]);
    check_user(&rules("Satisfy Any", "11"), [AskUser, Pass, Refuse]);
    check_user("Order allow,deny\nSatisfy Any", [Refuse, Refuse, Refuse]);
    check_user("AuthType Basic", [AskUser, AskUser, AskUser]);
}
