//! Which route a request has, one line each; the rules are those of Apache 2.4.71.

use alula_config::site::Asker;
use alula_config::{LoadOptions, MemoryFiles, load_with};
use alula_routing::{Action, RouteTable, Verdict, VirtualHostId};
use std::fmt::Write;

fn table(text: &str) -> RouteTable {
    let files = MemoryFiles::default()
        .directory("/srv/www")
        .directory("/srv/other")
        .file("/srv/app.wsgi", "")
        .file("/site.conf", text);
    let loaded = load_with(&LoadOptions::new("/site.conf"), &files);
    RouteTable::new(&loaded.expect("a valid configuration").site)
}

fn asker(method: &str) -> Asker<'_> {
    Asker {
        client: "192.0.2.1".parse().expect("an address"),
        local: "192.0.2.2".parse().expect("an address"),
        secure: false,
        certified: false,
        method,
        variables: &[],
        expressions: None,
        user: None,
        script: None,
    }
}

/// `who file script-name`, and what else differs from the default.
fn describe(table: &RouteTable, host: VirtualHostId, path: &str) -> String {
    let found = table.find(host, path.as_bytes());
    let mut text = match &found.route.action {
        Action::Files(_) => "files".to_owned(),
        Action::Python(python) => format!("python {}", python.handlers[0].module),
        Action::Wsgi(wsgi) => format!("wsgi {}", wsgi.callable),
        Action::ServerStatus => "server-status".to_owned(),
        Action::Proxy(_) => {
            let file = found.file.as_ref().map(|file| file.display().to_string());
            file.unwrap_or_default()
        }
        Action::Status(status) => status.as_str().to_owned(),
    };
    if let Some(file) = &found.file {
        let _ = write!(text, " {}", file.display());
    }
    if found.script_name_len > 0 {
        let _ = write!(text, " [{}]", &path[..found.script_name_len]);
    }
    if let Some(redirect) = &found.redirect {
        let target = redirect.target.as_deref().unwrap_or_default();
        let _ = write!(text, " {} {target}", redirect.status.as_str());
    }
    for (name, value) in found.route.environment.iter() {
        let _ = write!(text, " {name}={value}");
    }
    if found.route.access.judge(&asker("GET")) != Verdict::Pass {
        text.push_str(" denied");
    }
    text
}

#[track_caller]
fn check(config: &str, expected: &[(&str, &str)]) {
    let table = table(&format!("Listen 127.0.0.1:80\n{config}"));
    for (path, expected) in expected {
        // Twice: once made, once remembered.
        for _ in 0..2 {
            assert_eq!(
                describe(&table, VirtualHostId(0), path),
                *expected,
                "{path}"
            );
        }
    }
}

#[test]
fn a_location_fits_on_a_segment_border() {
    check(
        "DocumentRoot /srv/www
        <Location /a>\nSetEnv V a\n</Location>
        <Location /b/>\nSetEnv V b\n</Location>
        <Location /c/*>\nSetEnv V c\n</Location>",
        &[
            ("/a", "files /srv/www/a V=a"),
            ("/a/", "files /srv/www/a/ V=a"),
            ("/a/x", "files /srv/www/a/x V=a"),
            ("/ab", "files /srv/www/ab"),
            ("/b", "files /srv/www/b"),
            ("/b/", "files /srv/www/b/ V=b"),
            ("/b/x", "files /srv/www/b/x V=b"),
            ("/c/x", "files /srv/www/c/x V=c"),
            ("/c/x/y", "files /srv/www/c/x/y"),
            ("//a//x", "files /srv/www/a/x V=a"),
        ],
    );
}

#[test]
fn sections_apply_in_the_order_of_their_kinds() {
    check(
        "DocumentRoot /srv/www
        <LocationMatch one>\nSetEnv V location-match\n</LocationMatch>
        <Files *.txt>\nSetEnv V files\n</Files>
        <DirectoryMatch match>\nSetEnv V directory-match\n</DirectoryMatch>
        <Directory /srv/www/deep/er>\nSetEnv V deeper\n</Directory>
        <Directory /srv/www/deep>\nSetEnv V deep\n</Directory>
        <Directory /srv/*/glob>\nSetEnv V glob\n</Directory>
        <Directory /srv/www>\nSetEnv V root\n<Files nested>\nSetEnv V nested\n</Files>\n</Directory>",
        &[
            ("/x", "files /srv/www/x V=root"),
            ("/deep/x", "files /srv/www/deep/x V=deep"),
            ("/deep/er/x", "files /srv/www/deep/er/x V=deeper"),
            ("/deeper/x", "files /srv/www/deeper/x V=root"),
            ("/glob/x", "files /srv/www/glob/x V=glob"),
            ("/glob/a/b", "files /srv/www/glob/a/b V=glob"),
            ("/deep/match/x", "files /srv/www/deep/match/x V=directory-match"),
            ("/deep/match/x.txt", "files /srv/www/deep/match/x.txt V=files"),
            ("/deep/nested", "files /srv/www/deep/nested V=nested"),
            ("/deep/nested/", "files /srv/www/deep/nested/ V=deep"),
            ("/deep/one.txt", "files /srv/www/deep/one.txt V=location-match"),
        ],
    );
}

#[test]
fn a_directory_match_sees_the_whole_file_path() {
    check(
        r#"DocumentRoot /srv/www
        <DirectoryMatch "f\.txt$">
        SetEnv A 1
        </DirectoryMatch>
        <DirectoryMatch "/d$">
        SetEnv B 1
        </DirectoryMatch>
        <DirectoryMatch "/d/$">
        SetEnv C 1
        </DirectoryMatch>"#,
        &[
            ("/f.txt", "files /srv/www/f.txt A=1"),
            ("/d/g.txt", "files /srv/www/d/g.txt"),
            ("/d/", "files /srv/www/d/ C=1"),
        ],
    );
}

/// Found by comparing random configurations with httpd: its manual promises file order.
#[test]
fn a_directory_match_with_more_slashes_comes_later() {
    check(
        r#"DocumentRoot /srv/www
        <DirectoryMatch "^/srv/www/a">
        SetEnv V slashes
        </DirectoryMatch>
        <DirectoryMatch "www">
        SetEnv V none
        </DirectoryMatch>"#,
        &[
            ("/a/x", "files /srv/www/a/x V=slashes"),
            ("/b/x", "files /srv/www/b/x V=none"),
        ],
    );
}

#[test]
fn the_how_tos_location_leaves_the_path_without_slash_to_files() {
    check(
        r#"<Location "/mysite/">
            SetHandler python-program
            PythonHandler django.core.handlers.modpython
            SetEnv DJANGO_SETTINGS_MODULE mysite.settings
            PythonOption django.root /mysite
            PythonDebug On
            PythonPath "['/path/to/project'] + sys.path"
        </Location>"#,
        &[
            ("/mysite", "404"),
            (
                "/mysite/",
                "python django.core.handlers.modpython [/mysite] DJANGO_SETTINGS_MODULE=mysite.settings",
            ),
            (
                "/mysite/a/b",
                "python django.core.handlers.modpython [/mysite] DJANGO_SETTINGS_MODULE=mysite.settings",
            ),
            (
                "//mysite//a",
                "python django.core.handlers.modpython [//mysite] DJANGO_SETTINGS_MODULE=mysite.settings",
            ),
            ("/mysite2/", "404"),
            ("/", "404"),
        ],
    );
}

#[test]
fn django_root_is_stripped_on_a_segment_border_only() {
    check(
        "SetHandler python-program\nPythonHandler app\nPythonOption django.root /my",
        &[
            ("/my", "python app [/my]"),
            ("/my/x", "python app [/my]"),
            ("/mysite", "python app"),
            ("/", "python app"),
            ("*", "python app"),
        ],
    );
}

#[test]
fn set_handler_none_leads_back_to_files() {
    let python = "<Location />\nSetHandler python-program\nPythonHandler app\n</Location>\n";
    let media = "<Location /media>\nSetHandler None\n</Location>\n";
    let images = "<LocationMatch \"\\.(jpg|gif|png)$\">\nSetHandler none\n</LocationMatch>\n";
    check(
        &format!("DocumentRoot /srv/www\n{python}{media}{images}"),
        &[
            ("/", "python app"),
            ("/media/x.css", "files /srv/www/media/x.css"),
            ("/mediator", "python app"),
            ("/a/b.png", "files /srv/www/a/b.png"),
            ("/a/b.png/c", "python app"),
        ],
    );
    // The order in the file decides, not the length.
    check(
        &format!("DocumentRoot /srv/www\n{media}{python}"),
        &[("/media/x.css", "python app")],
    );
}

#[test]
fn the_first_alias_wins_and_aliases_come_before_scripts() {
    check(
        "DocumentRoot /srv/www
        WSGIScriptAlias /static/app /srv/app.wsgi
        WSGIScriptAlias /w /srv/app.wsgi callable-object=app
        WSGIScriptAlias /w/deeper /srv/app.wsgi
        Alias /static/ /srv/other/
        Alias /one /srv/other/one.txt
        Alias /two /srv/other/",
        &[
            ("/static/app", "files /srv/other/app"),
            ("/static", "files /srv/www/static"),
            ("/static//a//b", "files /srv/other/a/b"),
            ("/one", "files /srv/other/one.txt"),
            ("/oneself", "files /srv/www/oneself"),
            ("/two/x", "files /srv/other/x"),
            ("/two", "files /srv/other/"),
            ("/w", "wsgi app [/w]"),
            ("/w/", "wsgi app [/w]"),
            ("/w/deeper", "wsgi app [/w]"),
            ("/w;p", "files /srv/www/w;p"),
        ],
    );
}

#[test]
fn a_script_at_the_root_has_no_name() {
    check(
        "WSGIScriptAlias / /srv/app.wsgi\n<Location /x>\nSetHandler None\n</Location>",
        &[
            ("/", "wsgi application"),
            ("/a/b", "wsgi application"),
            ("/x", "wsgi application"),
        ],
    );
}

#[test]
fn a_scripts_own_directory_and_files_sections_decide_who_may_use_it() {
    check(
        "WSGIScriptAlias / /srv/app.wsgi
        <Directory />\nRequire all denied\n</Directory>",
        &[("/", "wsgi application denied")],
    );
    check(
        "WSGIScriptAlias / /srv/app.wsgi
        <Directory />\nRequire all denied\n</Directory>
        <Directory /srv>\n<Files app.wsgi>\nRequire all granted\n</Files>\n</Directory>",
        &[("/anything", "wsgi application")],
    );
}

#[test]
fn access_rules_replace_and_locations_override_directories() {
    check(
        "DocumentRoot /srv/www
        Alias /outside /srv/other
        <Directory />\nRequire all denied\n</Directory>
        <Directory /srv/www>\nRequire all granted\n</Directory>
        <Directory /srv/www/private>\nRequire ip 10.0.0.0/8\nRequire local\n</Directory>
        <Files \".ht*\">\nRequire all denied\n</Files>
        <Directory /srv/www/old>\nOrder deny,allow\nDeny from all\nAllow from 192.0.2\n</Directory>
        <Directory /srv/www/both>\nOrder allow,deny\n</Directory>
        <Location /outside/open>\nRequire all granted\n</Location>",
        &[
            ("/x", "files /srv/www/x"),
            ("/outside/x", "files /srv/other/x denied"),
            ("/outside/open/x", "files /srv/other/open/x"),
            ("/private/x", "files /srv/www/private/x denied"),
            ("/.htpasswd", "files /srv/www/.htpasswd denied"),
            ("/old/x", "files /srv/www/old/x"),
            ("/both/x", "files /srv/www/both/x denied"),
        ],
    );
}

#[test]
fn without_any_require_everyone_passes() {
    check(
        "DocumentRoot /srv/www",
        &[("/x", "files /srv/www/x"), ("*", "404"), ("", "404")],
    );
}

#[test]
fn directory_sections_do_not_concern_a_handler_in_a_location() {
    check(
        "DocumentRoot /srv/www
        <Directory />\nRequire all denied\nSetEnv D 1\n</Directory>
        <Location /app>\nSetHandler mod_python\nPythonHandler app\n</Location>",
        &[
            ("/app", "python app"),
            ("/x", "files /srv/www/x D=1 denied"),
        ],
    );
}

#[test]
fn a_handler_in_a_directory_has_a_file() {
    check(
        "DocumentRoot /srv/www
        <Directory /srv/www/app>\nSetHandler mod_python\nPythonHandler app\n</Directory>",
        &[
            ("/app/a/b", "python app /srv/www/app/a/b"),
            ("/x", "files /srv/www/x"),
        ],
    );
}

#[test]
fn virtual_hosts_inherit_and_come_after_the_main_server() {
    let table = table(
        "Listen 127.0.0.1:80
        DocumentRoot /srv/www
        Alias /m /srv/other/main
        <Location /x>\nSetEnv V main\nSetEnv M 1\n</Location>
        <VirtualHost *>
        ServerName a
        Alias /m /srv/other/own
        <Location />\nSetEnv V host\n</Location>
        </VirtualHost>",
    );
    let own = VirtualHostId(1);
    assert_eq!(describe(&table, own, "/x"), "files /srv/www/x V=host M=1");
    assert_eq!(describe(&table, own, "/m"), "files /srv/other/own V=host");
    assert_eq!(
        describe(&table, VirtualHostId(0), "/x"),
        "files /srv/www/x V=main M=1"
    );
    assert_eq!(
        describe(&table, VirtualHostId(0), "/m"),
        "files /srv/other/main"
    );
}

#[test]
fn routes_are_shared_dense_and_known() {
    let table = table(
        "Listen 127.0.0.1:80
        DocumentRoot /srv/www
        <Location /app>\nSetHandler mod_python\nPythonHandler app\n</Location>
        <LocationMatch a>\n</LocationMatch>\n<LocationMatch b>\nSetEnv B 1\n</LocationMatch>",
    );
    let known = table.routes();
    assert!(
        known
            .iter()
            .any(|route| matches!(route.action, Action::Python(_)))
    );
    let first = table.find(VirtualHostId(0), b"/x").route;
    let second = table.find(VirtualHostId(0), b"/a").route;
    assert_eq!(
        first.id, second.id,
        "sections that change nothing make no new route"
    );
    let third = table.find(VirtualHostId(0), b"/ab").route;
    let routes = table.routes();
    for (at, route) in routes.iter().enumerate() {
        assert_eq!(route.id.0, at);
    }
    assert_eq!(routes[third.id.0], third);
}

#[test]
fn more_sections_than_a_key_holds_inline_still_add_up() {
    let mut config = "Listen 127.0.0.1:80\nDocumentRoot /srv/www\n".to_owned();
    for number in 0..40 {
        let _ = write!(config, "<Location />\nSetEnv LAST {number}\n</Location>\n");
    }
    let table = table(&config);
    assert_eq!(
        describe(&table, VirtualHostId(0), "/x"),
        "files /srv/www/x LAST=39"
    );
    assert_eq!(
        describe(&table, VirtualHostId(0), "/x"),
        "files /srv/www/x LAST=39"
    );
}

#[test]
fn a_line_feed_does_not_lead_past_a_regular_expression() {
    check(
        r#"DocumentRoot /srv/www
        <LocationMatch "^/private/.*$">
        Require all denied
        </LocationMatch>"#,
        &[("/private/a\nb", "files /srv/www/private/a\nb denied")],
    );
}

#[test]
fn redirects_come_before_everything_else() {
    check(
        r#"DocumentRoot /srv/www
        Alias /al /srv/other
        Redirect gone /al/gone
        Redirect /a http://x/y
        Redirect /a/never http://never/
        RedirectMatch 301 "^/m/(.*)\.php$" "/n/$1"
        <Location /a>
        Require all denied
        SetEnv V a
        </Location>
        <Location /app>
        SetHandler mod_python
        PythonHandler app
        Redirect 303 /app/old /app/new
        </Location>
        <Location /app/inner>
        Redirect /app/inner /first
        </Location>
        Redirect /app/away /away"#,
        &[
            ("/a", "302 302 http://x/y V=a"),
            ("/a//b c", "302 302 http://x/y/b%20c V=a"),
            ("/ab", "files /srv/www/ab"),
            ("/al/gone/x", "410 410 "),
            ("/al/x", "files /srv/other/x"),
            ("/m/1/2.php", "301 301 /n/1/2"),
            ("/app/away", "302 302 /away"),
            ("/app/old/x", "python app 303 /app/new/x"),
            ("/app/inner/x", "python app 302 /first/x"),
            ("/app/x", "python app"),
        ],
    );
}

#[test]
fn an_alias_may_be_a_regular_expression() {
    check(
        r#"DocumentRoot /srv/www
        AliasMatch "^/v\d+/(.*)$" "/srv/other/$1"
        Alias /v1/x /srv/never
        Alias /w /srv/other/w
        AliasMatch "^/w/(.*)$" "/srv/never/$1""#,
        &[
            ("/v1/x", "files /srv/other/x"),
            ("/v/x", "files /srv/www/v/x"),
            ("/w/x", "files /srv/other/w/x"),
        ],
    );
}
