//! Real files, real requests: what goes in is a request line's worth, what comes out a status, fields and content.

use super::*;
use crate::finder::LOOK_COUNTS_FOR;
use alula_config::site::{
    EtagChange, EtagParts, ExtensionSettings, FileSettings, HandlerChoice, Switched,
};
use alula_http::{BodyError, Lead, Peer, Scheme};
use http::{HeaderName, Version};
use http_body::Body as _;
use rustix::fs::{Advice, CWD, FileType, Timespec, Timestamps};
use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::pin::Pin;

mod answers;
mod changes;
mod finding;

const CSS: &str = "body { color: black }\n";
const CSS_TAG: &str = "\"16-2c9253ff64b60\"";
const CSS_DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LARGE_BYTES: usize = 1_000_003;

/// A tree of files, served.
struct Site {
    top: tempfile::TempDir,
    files: Files,
}

/// What a test says about a request.
#[derive(Clone, Copy)]
struct Ask<'a> {
    method: &'a str,
    path: &'a str,
    fields: &'a [(&'a str, &'a str)],
}

/// What came back.
struct Got {
    status: u16,
    headers: HeaderMap,
    content: Result<Vec<u8>, BodyError>,
    promised: Option<u64>,
}

impl Site {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut FilesSettings)) -> Self {
        let top = tempfile::tempdir().expect("a directory");
        let root = top.path().join("root");
        fs::create_dir_all(root.join("empty")).expect("directories");
        fs::create_dir_all(root.join("docs/a b\\é")).expect("directories");
        fs::create_dir_all(root.join("odd/index.html")).expect("directories");
        fs::write(root.join("site.css"), CSS).expect("a file");
        fs::write(root.join("docs/index.html"), "<p>docs</p>").expect("a file");
        fs::write(root.join("nothing"), "").expect("a file");
        fs::write(root.join("large.bin"), large()).expect("a file");
        fs::write(top.path().join("secret"), "secret").expect("a file");
        symlink("site.css", root.join("link.css")).expect("a link");
        rustix::fs::mknodat(CWD, root.join("fifo"), FileType::Fifo, 0o644.into(), 0)
            .expect("a FIFO");
        for name in ["site.css", "docs/index.html", "nothing", "large.bin"] {
            set_modified(&root.join(name));
        }
        let mut settings = FilesSettings::new(root);
        change(&mut settings);
        Self {
            top,
            files: Files::new(settings),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.top.path().join("root").join(name)
    }

    /// Maps as `Alias / root/` does.
    fn request(&self, ask: Ask<'_>) -> Request {
        let target = Bytes::copy_from_slice(ask.path.as_bytes());
        let decoded = path::decode(&target).expect("a good target");
        let merged = path::merge_slashes(&decoded.path).into_owned();
        let relative = String::from_utf8(merged).expect("UTF-8");
        let headers = ask.fields.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        });
        let address = ([127, 0, 0, 1], 80).into();
        Request {
            method: ask.method.parse().expect("a method"),
            version: Version::HTTP_11,
            target,
            path: decoded.path,
            query: decoded.query,
            headers: headers.collect(),
            file: Some(self.file(&relative[1..])),
            script_name_len: 0,
            user: None,
            variables: None,
            peer: Arc::new(Peer::new(address, address, Scheme::Http)),
            body: Body::empty(),
            id: 1,
        }
    }

    fn send(&self, ask: Ask<'_>) -> Got {
        // What was seen of the disk before counts no more.
        let start = std::time::Instant::now();
        while start.elapsed() <= LOOK_COUNTS_FOR {
            std::hint::spin_loop();
        }
        run(async {
            let mut request = self.request(ask);
            // What the server does with a lead.
            if let Some(file) = &request.file
                && let Some(lead) = self.files.lead(&request.path, file)
            {
                match lead.await {
                    Lead::Here => {}
                    Lead::To(path) => {
                        let relative = String::from_utf8(path[1..].to_vec()).expect("UTF-8");
                        request.file = Some(self.file(&relative));
                        request.path = path;
                    }
                    Lead::Named { file, path_len } => {
                        let text = format!("{} {path_len}", file.display());
                        return Got::receive(http::Response::new(Body::from(text))).await;
                    }
                    Lead::Answered(response) => return Got::receive(response).await,
                }
            }
            let response = self.files.handle(request).await;
            Got::receive(response).await
        })
    }

    fn get(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        let method = "GET";
        self.send(Ask {
            method,
            path,
            fields,
        })
    }

    #[track_caller]
    fn check(&self, path: &str, status: u16) {
        assert_eq!(self.get(path, &[]).status, status, "{path}");
    }
}

impl Got {
    async fn receive(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let promised = body.len();
        let mut body = match body {
            Body::Part(part) => sending::part_body(part),
            other => other,
        };
        let mut content = Ok(Vec::new());
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            match (frame, &mut content) {
                (Ok(frame), Ok(all)) => {
                    all.extend_from_slice(&frame.into_data().expect("data"));
                }
                (Err(error), _) => content = Err(error),
                (Ok(_), Err(_)) => panic!("content after an error"),
            }
        }
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            content,
            promised,
        }
    }

    fn field(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("ASCII"))
    }

    #[track_caller]
    fn has(&self, status: u16, content: &[u8]) {
        assert_eq!(self.status, status);
        let found = self.content.as_deref().expect("content to its end");
        assert_eq!(found.len(), content.len());
        assert!(found == content, "other content of the same length");
        assert_eq!(self.promised, Some(content.len() as u64));
    }
}

/// Content in which no two places look alike.
fn large() -> Vec<u8> {
    let mut state = 1_u32;
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    bytes.take(LARGE_BYTES).collect()
}

/// Half a second past [`CSS_DATE`].
fn set_modified(file: &Path) {
    let time = Timespec {
        tv_sec: 784_111_777,
        tv_nsec: 500_000_000,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, file, &times, rustix::fs::AtFlags::empty()).expect("times");
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}
