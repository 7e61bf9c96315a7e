//! What a request costs with one virtual host and with ten thousand, with few `Location`s and with many, and how long
//! fifty thousand lines take to load: `cargo bench -p alula-routing`.
//!
//! Prints figures and judges nothing: what a machine that does other things measures is no test.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use alula_config::{LoadOptions, MemoryFiles, Site, load_with};
use alula_routing::RouteTable;
use std::fmt::Write;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Instant;

const REQUESTS: usize = 200_000;
const ROUNDS: usize = 7;

fn main() {
    let (one, _) = load(&hosts(1));
    let (many, seconds) = load(&hosts(10_000));
    println!("10,000 virtual hosts, 50,000 lines: loaded in {seconds:.3} s");
    let (few, _) = load(&locations(4));
    let (crowd, seconds) = load(&locations(8_300));
    println!("8,300 Locations, 50,000 lines: loaded in {seconds:.3} s");
    compare("virtual hosts, 1 and 10,000", &one, 1, &many, 10_000);
    compare("Locations, 4 and 8,300", &few, 1, &crowd, 1);
}

fn hosts(count: usize) -> String {
    let mut text = "Listen 80\nServerName main\nDocumentRoot /srv\n".to_owned();
    for number in 0..count {
        let _ = writeln!(
            text,
            "<VirtualHost *:80>\nServerName h{number}.example.com\nDocumentRoot /srv\nAlias /static /srv\n</VirtualHost>"
        );
    }
    text
}

fn locations(count: usize) -> String {
    let mut text = "Listen 80\nServerName main\nDocumentRoot /srv\n".to_owned();
    for number in 0..count {
        let _ = writeln!(
            text,
            "<Location /a{number}>\nRequire all granted\nSetEnv A x\nHeader set X-A x\nOptions None\n</Location>"
        );
    }
    text
}

fn load(text: &str) -> (Site, f64) {
    let options = LoadOptions::new("/etc/site.conf");
    let files = MemoryFiles::default().directory("/srv");
    let files = files.file("/etc/site.conf", text);
    let began = Instant::now();
    let loaded = load_with(&options, &files).expect("a configuration without errors");
    (loaded.site, began.elapsed().as_secs_f64())
}

/// The rounds of the two alternate, so that whatever else the machine does falls on both; the best of each counts.
fn compare(what: &str, first: &Site, first_hosts: usize, second: &Site, second_hosts: usize) {
    let (first, second) = (RouteTable::new(first), RouteTable::new(second));
    let mut best = [f64::MAX; 2];
    for _ in 0..ROUNDS {
        best[0] = best[0].min(round(&first, first_hosts));
        best[1] = best[1].min(round(&second, second_hosts));
    }
    let more = (best[1] / best[0] - 1.0) * 100.0;
    println!(
        "{what}: {:.0} and {:.0} ns a request ({more:+.1} %)",
        best[0], best[1]
    );
}

/// One virtual host is asked again and again, one in the middle: what is measured is the look-up, not the processor's caches.
fn round(table: &RouteTable, hosts: usize) -> f64 {
    let local = SocketAddr::from(([127, 0, 0, 1], 80));
    let name = format!("h{}.example.com:80", hosts / 2);
    let began = Instant::now();
    for _ in 0..REQUESTS {
        let host = table.virtual_host(black_box(local), || Some(black_box(name.as_bytes())));
        black_box(table.find(host, black_box(b"/a3/b/c.html")));
    }
    began.elapsed().as_secs_f64() * 1e9 / REQUESTS as f64
}
