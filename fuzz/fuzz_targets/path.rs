//! Any bytes as a request target: what decodes holds no dot segment and no NUL, and survives encoding.
#![no_main]

use alula_http::path;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|target: &[u8]| {
    let Ok(decoded) = path::decode(&Bytes::copy_from_slice(target)) else {
        return;
    };
    let path = &decoded.path;
    assert!(!path.contains(&0));
    if path.starts_with(b"/") {
        assert!(!path.split(|&c| c == b'/').any(|part| part == b"." || part == b".."));
        let again = path::decode(&Bytes::from(path::encode(path))).expect("what was encoded decodes");
        assert_eq!(again.path, *path);
    }
    let merged = path::merge_slashes(path);
    assert!(!merged.windows(2).any(|pair| pair == b"//"));
});
