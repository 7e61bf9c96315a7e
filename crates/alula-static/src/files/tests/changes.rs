//! Files that change, and files that are read while they are sent.

use super::*;

#[test]
fn a_change_is_seen_by_the_next_request() {
    let site = Site::new();
    let file = site.file("site.css");
    for round in 0..200 {
        let text = format!("{round:03}");
        if round % 2 == 0 {
            fs::write(&file, &text).expect("written over");
        } else {
            fs::write(site.file("new"), &text).expect("written");
            fs::rename(site.file("new"), &file).expect("renamed over");
        }
        site.get("/site.css", &[]).has(200, text.as_bytes());
        site.get("/site.css", &[]).has(200, text.as_bytes());
    }
    fs::remove_file(&file).expect("removed");
    site.check("/site.css", 404);
}

#[test]
fn a_settled_file_is_kept_and_noticed_when_it_changes() {
    let site = Site::new();
    // The change time cannot be set, so wait until the file is a second old.
    let kept = || site.files.shared.finder.cache.get(&site.file("site.css"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while kept().is_none() {
        site.get("/site.css", &[]).has(200, CSS.as_bytes());
        assert!(std::time::Instant::now() < deadline, "never kept");
        std::thread::yield_now();
    }
    site.get("/site.css", &[("range", "bytes=0-3")])
        .has(206, b"body");
    let other = CSS.to_uppercase();
    fs::write(site.file("site.css"), &other).expect("written over");
    set_modified(&site.file("site.css"));
    site.get("/site.css", &[]).has(200, other.as_bytes());
    fs::remove_file(site.file("site.css")).expect("removed");
    site.check("/site.css", 404);
    assert!(kept().is_none());
}

#[test]
fn what_is_not_in_memory_is_read_elsewhere() {
    let site = Site::new();
    let large = large();
    for (name, content) in [("large.bin", &large[..]), ("site.css", CSS.as_bytes())] {
        let file = fs::File::open(site.file(name)).expect("opened");
        file.sync_all().expect("on disk");
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).expect("forgotten");
        site.get(&format!("/{name}"), &[]).has(200, content);
    }
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_sent_ends_with_an_error() {
    let site = Site::new();
    run(async {
        let ask = Ask {
            method: "GET",
            path: "/large.bin",
            fields: &[],
        };
        let response = site.files.handle(site.request(ask)).await;
        assert_eq!(response.status(), 200);
        fs::File::options()
            .write(true)
            .open(site.file("large.bin"))
            .and_then(|file| file.set_len(300_000))
            .expect("made shorter");
        let got = Got::receive(response).await;
        assert!(got.content.is_err());
        assert_eq!(got.promised, Some(LARGE_BYTES as u64));
    });
}

#[test]
fn a_chunks_memory_is_used_again_when_the_engine_has_let_go() {
    let site = Site::new();
    run(async {
        let ask = Ask {
            method: "GET",
            path: "/large.bin",
            fields: &[],
        };
        let body = site.files.handle(site.request(ask)).await.into_body();
        let Body::Part(part) = body else {
            panic!("{body:?}");
        };
        let mut body = sending::part_body(part);
        let mut chunk = async || {
            let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            frame
                .expect("a frame")
                .expect("no error")
                .into_data()
                .expect("data")
        };
        let first = chunk().await;
        let second = chunk().await;
        assert_ne!(first.as_ptr(), second.as_ptr(), "both are in use");
        assert_eq!(first, large()[..first.len()]);
        let place = first.as_ptr();
        drop(first);
        assert_eq!(chunk().await.as_ptr(), place);
    });
}
