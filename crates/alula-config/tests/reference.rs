//! Holds `docs/reference/directives.md` to the table it is generated from.

#[test]
fn the_reference_page_is_up_to_date() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/reference/directives.md"
    );
    let page = alula_config::reference_page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &page).expect("docs/reference is writable");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/directives.md is old: UPDATE=1 cargo test -p alula-config"
    );
}
