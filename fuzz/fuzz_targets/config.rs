//! Any bytes as a configuration: it loads or says why not, and what loads can be routed.
//!
//! Files come from memory, so a fuzzed `Include` reads nothing of this machine.
#![no_main]

use alula_config::{LoadOptions, MemoryFiles, load_with};
use alula_routing::{RouteTable, VirtualHostId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let files = MemoryFiles::default()
        .directory("/srv/www")
        .file("/etc/alula/conf.d/a.conf", "SetEnv A a\n")
        .file("/etc/alula/site.conf", text);
    let mut options = LoadOptions::new("/etc/alula/site.conf");
    options.environment.clear();
    match load_with(&options, &files) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                let _ = warning.to_string();
            }
            let table = RouteTable::new(&loaded.site);
            for path in [&b"/"[..], b"/mysite/a//b", b"/media/x.png", b"*", b"", b"/\xff"] {
                let found = table.find(VirtualHostId(0), path);
                assert!(found.script_name_len <= path.len());
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            for error in &errors {
                let _ = error.to_string();
            }
        }
    }
});
