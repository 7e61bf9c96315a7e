//! Real files, real passwords, on a runtime like a worker's.

use super::*;
use alula_routing::site::{Access as Require, Limited, Requirement};
use std::path::Path;

/// "password".
const BCRYPT: &str = "$2b$04$ABCDEFGHIJKLMNOPQRSTUuEjC/iPF3zJUw77/vM0sdh86VCS2RP7K";

struct Setting {
    folder: tempfile::TempDir,
    authenticator: Authenticator,
    access: Access,
}

impl Setting {
    fn new(requirement: Requirement) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let users = folder.path().join("users");
        std::fs::write(&users, format!("ann:{BCRYPT}\nbob:{BCRYPT}\n")).expect("written");
        let groups = folder.path().join("groups");
        std::fs::write(&groups, "staff: ann eve\n").expect("written");
        let rule = Limited {
            methods: None,
            rule: requirement,
        };
        let access = Access {
            require: Some(Require::Any(vec![rule])),
            order: None,
            authentication: Some(Basic {
                realm: Some("the \"realm\"".to_owned()),
                user_file: Some(users),
                group_file: Some(groups),
                forbidden_on_failure: false,
                providers: vec![Provider::File],
                user_script: None,
                group_script: None,
            }),
            requires_tls: false,
            script: None,
        };
        Self {
            folder,
            authenticator: Authenticator::default(),
            access,
        }
    }

    fn admit(&self, authorization: Option<&str>) -> Result<Arc<str>, Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.parse().expect("a header value"));
        }
        let asker = Asker {
            client: "192.0.2.1".parse().expect("an address"),
            local: "192.0.2.2".parse().expect("an address"),
            secure: false,
            certified: false,
            method: "GET",
            variables: &[],
            expressions: None,
            user: None,
            script: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let admitted = self
            .authenticator
            .admit(&self.access, &asker, &headers, None);
        runtime
            .expect("a runtime")
            .block_on(admitted)
            .map(|user| user.expect("a user"))
    }

    #[track_caller]
    fn check(&self, user: &str, password: &str, expected: Result<&str, u16>) {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let found = self.admit(Some(&format!("Basic {encoded}")));
        let found = found.as_deref().map_err(|refusal| refusal.status.as_u16());
        assert_eq!(found, expected, "{user} {password}");
    }
}

fn put_first(path: &Path, line: &str) {
    let text = std::fs::read_to_string(path).expect("readable");
    std::fs::write(path, format!("{line}{text}")).expect("writable");
}

#[test]
fn the_right_password_passes() {
    let setting = Setting::new(Requirement::ValidUser);
    for _ in 0..2 {
        setting.check("ann", "password", Ok("ann"));
        setting.check("ann", "Password", Err(401));
        setting.check("eve", "password", Err(401));
        setting.check("", "", Err(401));
    }
    assert_eq!(setting.authenticator.remembered.lock().len(), 1);
}

#[test]
fn groups_come_from_their_file() {
    let setting = Setting::new(Requirement::Group(vec!["staff".to_owned()]));
    setting.check("ann", "password", Ok("ann"));
    setting.check("bob", "password", Err(401));
    let groups = "staff: bob\n";
    std::fs::write(setting.folder.path().join("groups"), groups).expect("written");
    setting.check("ann", "password", Err(401));
    setting.check("bob", "password", Ok("bob"));
    std::fs::remove_file(setting.folder.path().join("groups")).expect("removed");
    setting.check("bob", "password", Err(401));
}

#[test]
fn a_changed_file_counts_at_once() {
    let setting = Setting::new(Requirement::ValidUser);
    setting.check("ann", "password", Ok("ann"));
    let users = setting.folder.path().join("users");
    put_first(&users, "ann:{SHA}C5wmJdwh7wX2rU3fR8XyA4N6oyw=\n");
    setting.check("ann", "password", Err(401));
    std::fs::remove_file(&users).expect("removed");
    setting.check("ann", "password", Err(500));
}

#[test]
fn what_is_no_basic_authorization_is_asked_for_one() {
    let setting = Setting::new(Requirement::ValidUser);
    for value in [
        None,
        Some(""),
        Some("Basic"),
        Some("Basic !"),
        Some("Bearer YTpi"),
        Some("Basic YQ=="),
    ] {
        let refusal = setting.admit(value).expect_err("refused");
        assert_eq!(refusal.status, StatusCode::UNAUTHORIZED, "{value:?}");
        let mut headers = HeaderMap::new();
        refusal.challenge(&mut headers);
        assert_eq!(headers[WWW_AUTHENTICATE], r#"Basic realm="the \"realm\"""#);
    }
}

#[test]
fn a_user_who_may_not_is_asked_again_or_forbidden() {
    let mut setting = Setting::new(Requirement::User(vec!["bob".to_owned()]));
    setting.check("ann", "password", Err(401));
    setting.check("bob", "password", Ok("bob"));
    let basic = setting.access.authentication.as_mut().expect("basic");
    basic.forbidden_on_failure = true;
    setting.check("ann", "password", Err(403));
    setting.check("ann", "wrong", Err(401));
}

#[test]
fn what_is_not_set_up_is_an_error_of_the_server() {
    let mut setting = Setting::new(Requirement::ValidUser);
    let basic = setting.access.authentication.as_mut().expect("basic");
    basic.user_file = None;
    setting.check("ann", "password", Err(500));
    setting.access.authentication = None;
    setting.check("ann", "password", Err(500));
    let mut setting = Setting::new(Requirement::ValidUser);
    setting.access.require = None;
    setting.check("ann", "password", Err(500));
}
