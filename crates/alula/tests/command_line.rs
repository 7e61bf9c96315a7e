//! What a person at a terminal sees: exit codes, messages, and a daemon that comes and goes.
//!
//! The site has no Python, so nothing but the program is needed.
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder };
        let root = site.folder.path().display();
        let text = format!(
            "ServerRoot {root}\nPidFile {root}/pid\nErrorLog {root}/error_log\nStartServers 2\n{more}\n"
        );
        std::fs::write(site.file(), text).unwrap();
        site
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("site.conf")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alula"));
        command
            .args(arguments)
            .arg("-f")
            .arg(self.file())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command; returns its exit code, standard output and standard error.
    fn alula(&self, arguments: &[&str]) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // For a test that has failed half-way.
        self.alula(&["-k", "stop"]);
    }
}

/// An address nobody uses now. Each call has a host of its own, so that nobody uses it later either.
fn free_address() -> SocketAddr {
    static HOSTS: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high, low, HOSTS.fetch_add(1, Ordering::Relaxed));
    let listener = TcpListener::bind((host, 0)).unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn a_good_configuration_is_ok() {
    let site = Site::new(&format!("Listen {}", free_address()));
    for arguments in [["check"], ["-t"]] {
        let (code, stdout, stderr) = site.alula(&arguments);
        assert_eq!(
            (code, stdout.as_str(), stderr.as_str()),
            (0, "", "Syntax OK\n")
        );
    }
    let (code, stdout, _) = site.alula(&["check", "--json"]);
    assert_eq!((code, stdout.as_str()), (0, "[]\n"));
}

#[test]
fn a_mistake_is_shown_with_its_place_and_code_1() {
    let site = Site::new("Listn 127.0.0.1:8080");
    for arguments in [["check"], ["run"], ["-t"], ["reload"]] {
        let (code, _, stderr) = site.alula(&arguments);
        assert_eq!(code, 1, "{arguments:?}");
        assert!(stderr.contains("site.conf:5:1: "), "{stderr}");
    }
    let (code, stdout, _) = site.alula(&["check", "--json"]);
    assert_eq!(code, 1);
    assert!(stdout.contains("\"line\": 5"), "{stdout}");
}

#[test]
fn strictly_a_warning_is_an_error() {
    let address = free_address();
    let check = |more: &str, message: &str| {
        let site = Site::new(&format!("Listen {address}\n{more}"));
        let (code, _, stderr) = site.alula(&["-t"]);
        assert!(code == 0 && stderr.contains("warning: "), "{stderr}");
        for arguments in [
            &["-t", "--strict"][..],
            &["check", "--strict"],
            &["run", "--strict"],
        ] {
            let (code, _, stderr) = site.alula(arguments);
            assert_eq!(code, 1, "{stderr}");
            assert!(stderr.contains(message), "{stderr}");
        }
    };
    check(
        "ServerAdmin you@example.com # me",
        "site.conf:6:29: ServerAdmin: comment after the arguments",
    );
    check(
        "Redirect old /new",
        "site.conf:6:10: Redirect: \"old\" fits no URL",
    );
    // A note is not a warning.
    let site = Site::new(&format!("Listen {address}\nListenBacklog 10"));
    assert_eq!(site.alula(&["-t", "--strict"]).0, 0);
}

#[test]
fn the_user_and_the_python_are_checked_too() {
    let check = |more: &str, expected: &str| {
        let site = Site::new(&format!("Listen {}\n{more}", free_address()));
        let (code, _, stderr) = site.alula(&["check"]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.ends_with(expected), "{stderr}");
    };
    check(
        "User no-such-user",
        "User: no user \"no-such-user\" on this machine\n",
    );
    check(
        "PythonHome /tmp\n<Location /app>\nSetHandler mod_python\nPythonHandler app\n</Location>",
        "PythonHome: there is no bin/python3 in \"/tmp\"\n",
    );
}

#[test]
fn what_this_machine_lacks_is_code_2_with_its_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let site = Site::new(&format!(
        "Listen {address}\nWSGIScriptAlias / /no/such/app.wsgi"
    ));
    let (code, _, stderr) = site.alula(&["check"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains(&format!(
            "site.conf:5:1: Listen: cannot listen on {address}"
        )),
        "{stderr}"
    );
    assert!(
        stderr.contains("site.conf:6:1: WSGIScriptAlias: cannot read \"/no/such/app.wsgi\""),
        "{stderr}"
    );
    // httpd's own check does not look.
    assert_eq!(site.alula(&["-t"]).0, 0);
    let (code, stdout, _) = site.alula(&["check", "--json"]);
    assert!(code == 2 && stdout.contains("\"line\": 5"), "{stdout}");
}

#[test]
fn a_request_is_explained() {
    let site = Site::new(
        "Listen 127.0.0.1:8080\nDocumentRoot /tmp\n<Location />\nSetEnv A b\n</Location>\n<VirtualHost *:8080>\nServerName www.example.com\n\
         <Directory /tmp>\nRequire all granted\n</Directory>\n<Location /closed>\nRequire all denied\n</Location>\n\
         Redirect /old http://new/\n</VirtualHost>",
    );
    let file = site.file().display().to_string();
    let (code, stdout, stderr) = site.alula(&["explain", "http://www.example.com:8080/closed/x"]);
    assert_eq!(code, 0, "{stderr}");
    let expected = [
        "GET /closed/x",
        &format!("virtual host: www.example.com ({file}:10), on 127.0.0.1:8080"),
        &format!("<Directory \"/tmp\"> ({file}:12)"),
        &format!("    {file}:13  Require all granted"),
        &format!("    {file}:8  SetEnv A b"),
        &format!("    {file}:16  Require all denied"),
        "answers: the file /tmp/closed/x",
    ];
    let mut rest = stdout.as_str();
    for line in expected {
        let at = rest
            .find(line)
            .unwrap_or_else(|| panic!("{line}\n{stdout}"));
        rest = &rest[at + line.len()..];
    }
    let (_, stdout, _) = site.alula(&[
        "explain",
        "--json",
        "--header",
        "Host: www.example.com",
        "/old/y",
    ]);
    assert!(stdout.contains("302 Found http://new//y"), "{stdout}");
    let (code, _, stderr) = site.alula(&["explain", "http://x:9/"]);
    assert_eq!(
        (code, stderr.as_str()),
        (1, "alula: nothing listens on port 9\n")
    );
}

#[test]
fn access_conditions_and_htaccess_files_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    std::fs::create_dir(folder.path().join("a")).unwrap();
    let htaccess = folder.path().join("a/.htaccess");
    std::fs::write(
        &htaccess,
        "SetEnv B c\n<If \"%{HTTP_HOST} == 'in'\">\nRequire all denied\n</If>\n",
    )
    .unwrap();
    let htaccess = htaccess.display();
    let site = Site::new(&format!(
        "Listen 127.0.0.1:8080\nDocumentRoot {root}\n<Directory {root}>\nAllowOverride All\nRequire all granted\n</Directory>\n\
         <If \"%{{QUERY_STRING}} =~ /debug/\">\nHeader set X debug\n</If>\n<Location /net>\nRequire ip 10.0.0.0/8\nRequire user ann\n\
         <Limit POST>\nRequire host-less\n</Limit>\n</Location>\n"
    ).replace("Require host-less", "Require all denied"));
    let file = site.file().display().to_string();
    let explain = |arguments: &[&str], expected: &[&str], not: &[&str]| {
        let (code, stdout, stderr) = site.alula(&[&["explain"], arguments].concat());
        assert_eq!(code, 0, "{stderr}");
        for line in expected {
            assert!(stdout.contains(line), "{line}\n{stdout}");
        }
        for line in not {
            assert!(!stdout.contains(line), "{line}\n{stdout}");
        }
    };
    let granted = format!("    {file}:9  Require all granted");
    explain(
        &["/a/x?debug"],
        &[
            &format!("\n{htaccess}\n    {htaccess}:1  SetEnv B c"),
            &format!("<If> ({file}:11)"),
            &format!("    {file}:12  Header set X debug"),
            "access: allowed, from 127.0.0.1",
            &format!("{granted}: lets pass"),
        ],
        &["Require all denied"],
    );
    explain(
        &["/a/x", "--header", "Host: in"],
        &[
            &format!("    {htaccess}:3  Require all denied: does not let pass"),
            "access: refused with 403, from 127.0.0.1",
        ],
        &[&format!("{granted}: "), "Header set"],
    );
    explain(
        &["/net", "--client", "10.1.2.3"],
        &[
            "access: allowed, from 10.1.2.3",
            &format!("    {file}:15  Require ip 10.0.0.0/8: lets pass"),
            &format!("    {file}:16  Require user ann: depends on the user"),
            &format!("    {file}:18  Require all denied: is for other methods"),
        ],
        &[],
    );
    explain(&["/net"], &["access: depends on who asks"], &[]);
}

#[test]
fn what_is_passed_on_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display();
    let site = Site::new(&format!(
        "Listen 127.0.0.1:8080\nDocumentRoot {root}\nProxyPass /app http://localhost:8001/inner\n\
         <Proxy http://localhost:8001/>\n<RequireAll>\nrequire all granted\nRequire  NOT ip 192.0.2.1\n</RequireAll>\n</Proxy>\n\
         <FilesMatch \"[xp]$\">\nHeader set Of file\n</FilesMatch>\n\
         <Directory {root}>\nRewriteEngine On\nRewriteRule p http://localhost:8002/q [P]\nRequire all granted\n</Directory>\n\
         <Location /status>\nSetHandler server-info\n</Location>\n"
    ));
    let file = site.file().display().to_string();
    let explain = |arguments: &[&str], expected: &[&str], not: &[&str]| {
        let (code, stdout, stderr) = site.alula(&[&["explain"], arguments].concat());
        assert_eq!(code, 0, "{stderr}");
        for line in expected {
            assert!(stdout.contains(line), "{line}\n{stdout}");
        }
        for line in not {
            assert!(!stdout.contains(line), "{line}\n{stdout}");
        }
    };
    explain(
        &["/app/x", "--client", "192.0.2.1"],
        &[
            "the back end, asked for http://localhost:8001/inner/x",
            "<Proxy \"http://localhost:8001/\">",
            "access: refused with 403, from 192.0.2.1",
            &format!("    {file}:10  Require all granted: lets pass"),
            &format!("    {file}:11  Require NOT ip 192.0.2.1: refuses"),
        ],
        &["Of file"],
    );
    explain(
        &["/p"],
        &[
            "the back end, asked for http://localhost:8002/q",
            &format!("<Directory \"{root}\">"),
            "Of file",
        ],
        &["<Proxy"],
    );
    explain(
        &["/status"],
        &["404 Not Found: nobody is the handler"],
        &["no DocumentRoot"],
    );
}

#[test]
fn virtual_hosts_are_shown_as_httpd_does() {
    let site = Site::new(
        "Listen 127.0.0.1:8080\n<VirtualHost *:8080>\nServerName a\nServerAlias b *.c\n</VirtualHost>\n<VirtualHost *:8080>\nServerName d\n</VirtualHost>",
    );
    let file = site.file().display().to_string();
    let (code, stdout, _) = site.alula(&["-S"]);
    let expected = format!(
        "VirtualHost configuration:\n*:8080                 is a NameVirtualHost\n         default server a ({file}:6)\n         \
         port 8080 namevhost a ({file}:6)\n                 alias b\n                 wild alias *.c\n         \
         port 8080 namevhost d ({file}:10)\nServerRoot: "
    );
    assert!(code == 0 && stdout.starts_with(&expected), "{stdout}");
    assert!(site.alula(&["-M"]).1.contains(" core_module (static)\n"));
    assert!(site.alula(&["-L"]).1.contains("### `ServerName`"));
    assert!(
        site.alula(&["-t", "-D", "DUMP_INCLUDES"])
            .1
            .contains("site.conf\n")
    );
}

#[test]
fn a_daemon_comes_and_goes() {
    let address = free_address();
    let site = Site::new(&format!("Listen {address}"));
    let (code, stdout, stderr) = site.alula(&["-k", "start"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        stdout,
        format!("alula: ready, http://{address}/ (2 workers)\n")
    );
    let pid = std::fs::read_to_string(site.folder.path().join("pid")).unwrap();

    let again = format!("alula: already running (pid {})\n", pid.trim());
    assert_eq!(
        site.alula(&["-k", "start"]),
        (0, String::new(), again.clone())
    );
    assert_eq!(site.alula(&["run"]), (1, String::new(), again));
    let serves = |generation: u32| {
        format!("alula: new code and configuration serve (generation {generation})\n")
    };
    for (arguments, said) in [
        (&["reload"][..], serves(2)),
        (&["-k", "graceful"], String::new()),
        (&["restart"], serves(4)),
        (&["stop"], String::new()),
    ] {
        let result = site.alula(arguments);
        assert_eq!(result, (0, String::new(), said), "{arguments:?}");
    }
    assert!(!site.folder.path().join("pid").exists());
    let log = std::fs::read_to_string(site.folder.path().join("error_log")).unwrap();
    assert!(log.ends_with("stopped\n"), "{log}");
}

#[test]
fn a_server_that_does_not_run_cannot_be_stopped() {
    let site = Site::new(&format!("Listen {}", free_address()));
    let (code, _, stderr) = site.alula(&["stop"]);
    assert_eq!(code, 1);
    assert!(stderr.starts_with("alula: not running"), "{stderr}");
    // httpd does not mind.
    let (code, _, stderr) = site.alula(&["-k", "stop"]);
    assert_eq!(
        (code, stderr.as_str()),
        (0, "alula (no pid file) not running\n")
    );
}

#[test]
fn a_taken_port_is_one_line_and_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let site = Site::new(&format!("Listen {address}"));
    let expected =
        format!("alula: cannot listen on {address}: another process listens there already\n");
    for arguments in [&["run"][..], &["-k", "start"]] {
        let result = site.alula(arguments);
        assert_eq!(result, (1, String::new(), expected.clone()));
    }
}

#[test]
fn run_stays_and_says_where_it_listens() {
    let addresses = [free_address(), free_address()];
    let site = Site::new(&format!("Listen {}\nListen {}", addresses[0], addresses[1]));
    let mut command = site.command(&["run"]);
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    for address in addresses {
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line, format!("alula: ready, http://{address}/ (2 workers)"));
    }
    assert_eq!(site.alula(&["stop"]).0, 0);
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_site_of_files_is_served_through_restarts() {
    let address = free_address();
    let site = Site::new("");
    let root = site.folder.path();
    std::fs::create_dir(root.join("htdocs")).unwrap();
    std::fs::write(root.join("htdocs/hello.txt"), "hello from a file").unwrap();
    let mut text = std::fs::read_to_string(site.file()).unwrap();
    writeln!(
        text,
        "Listen {address}\nMaxConnectionsPerChild 3\nDocumentRoot {root}/htdocs\nCustomLog {root}/access_log common\n\
         <Directory {root}/htdocs>\nRequire all granted\n</Directory>",
        root = root.display()
    )
    .unwrap();
    std::fs::write(site.file(), text).unwrap();
    let (code, _, stderr) = site.alula(&["-k", "start"]);
    assert_eq!(code, 0, "{stderr}");

    for request in 0..20 {
        if request == 10 {
            assert_eq!(site.alula(&["reload"]).0, 0);
        }
        let answer = get(address, "/hello.txt");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello from a file"), "{answer}");
    }
    assert!(get(address, "/nothing").starts_with("HTTP/1.1 404 "));
    assert_eq!(site.alula(&["stop"]).0, 0);
    let log = std::fs::read_to_string(root.join("access_log")).unwrap();
    assert_eq!(
        log.matches("\"GET /hello.txt HTTP/1.1\" 200 17").count(),
        20,
        "{log}"
    );
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
