//! Which virtual host a connection and a name have; the rules are those of Apache 2.4.71.

use alula_config::{LoadOptions, MemoryFiles, load_with};
use alula_routing::RouteTable;

const CONFIG: &str = "
Listen 80
Listen 81
<VirtualHost *:80>
    ServerName first.example.com
</VirtualHost>
<VirtualHost *:80>
    ServerName wild.example.com
    ServerAlias *.wild.example.com w?ld
</VirtualHost>
<VirtualHost *:80>
    ServerName exact.wild.example.com:8080
    ServerAlias Other.example.com other.example.com.
</VirtualHost>
<VirtualHost 127.0.0.2:80>
    ServerName local.example.com
</VirtualHost>
<VirtualHost 127.0.0.3>
    ServerName any-port.example.com
</VirtualHost>
<VirtualHost [::1]:80>
    ServerName six.example.com
</VirtualHost>
";

#[track_caller]
fn check(config: &str, local: &str, host: Option<&str>, expected: usize) {
    let files = MemoryFiles::default().file("/site.conf", config);
    let loaded = load_with(&LoadOptions::new("/site.conf"), &files).expect("valid");
    let table = RouteTable::new(&loaded.site);
    let local = local.parse().expect("an address");
    let found = table.virtual_host(local, || host.map(str::as_bytes));
    assert_eq!(found.0, expected, "{local} {host:?}");
}

#[test]
fn the_name_decides_within_the_best_address() {
    for (local, host, expected) in [
        ("10.0.0.1:80", Some("first.example.com"), 1),
        ("10.0.0.1:80", Some("FIRST.example.COM:80"), 1),
        ("10.0.0.1:80", Some("first.example.com."), 1),
        ("10.0.0.1:80", Some("first.example.com.:80"), 1),
        ("10.0.0.1:80", Some("wild.example.com"), 2),
        ("10.0.0.1:80", Some("a.wild.example.com"), 2),
        ("10.0.0.1:80", Some("wOld"), 2),
        ("10.0.0.1:80", Some("other.example.com"), 3),
        ("10.0.0.1:80", Some("unknown"), 1),
        ("10.0.0.1:80", Some(""), 1),
        ("10.0.0.1:80", None, 1),
        // An earlier wildcard beats a later exact name.
        ("10.0.0.1:80", Some("exact.wild.example.com"), 2),
        // A name in another set of addresses is not found.
        ("127.0.0.2:80", Some("wild.example.com"), 4),
        ("127.0.0.3:80", Some("wild.example.com"), 5),
        ("127.0.0.3:81", None, 5),
        ("[::1]:80", Some("[::1]:80"), 6),
        // No virtual host for the port.
        ("10.0.0.1:81", Some("first.example.com"), 0),
        // IPv4 on an IPv6 socket.
        ("[::ffff:127.0.0.2]:80", None, 4),
    ] {
        check(CONFIG, local, host, expected);
    }
}

#[test]
fn an_exact_address_beats_any_port_beats_any_address() {
    let config = "Listen 80
        <VirtualHost *>\nServerName d\n</VirtualHost>
        <VirtualHost _default_:80>\nServerName c\n</VirtualHost>
        <VirtualHost 127.0.0.1>\nServerName b\n</VirtualHost>
        <VirtualHost 127.0.0.1:80>\nServerName a\n</VirtualHost>";
    check(config, "127.0.0.1:80", Some("d"), 4);
    check(config, "127.0.0.1:81", Some("d"), 3);
    check(config, "127.0.0.2:80", Some("d"), 2);
    check(config, "127.0.0.2:81", Some("x"), 1);
}

#[test]
fn an_overlong_name_has_no_virtual_host_of_its_own() {
    let long = "a".repeat(300);
    check(CONFIG, "10.0.0.1:80", Some(&long), 1);
}

#[test]
fn without_virtual_hosts_the_main_server_answers() {
    check("Listen 80\nServerName x", "127.0.0.1:80", Some("x"), 0);
}
