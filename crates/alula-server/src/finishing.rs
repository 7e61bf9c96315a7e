//! What every response gets on its way out: header changes, framing by version, the log line, the next request.

use crate::access_log::Entry;
use crate::asking::{self, Late};
use crate::connection::Connection;
use crate::expires;
use crate::file_sending::{OutgoingFile, SENDFILE_BYTES_MIN};
use crate::pipeline::{Answered, Pipeline};
use crate::sending::{Outgoing, Sent};
use alula_http::{Body, FilePart, OwnPage};
use alula_routing::{Action, Found, Moment, VirtualHostId};
use http::header::{self, HeaderValue};
use http::{StatusCode, Version};
use std::io::Seek;
use std::sync::Arc;
use std::time::SystemTime;

impl Pipeline {
    /// Adds what every response has, and arranges for the log line and the next request.
    pub(crate) fn finish(
        &self,
        answered: Answered,
        entry: Option<Box<Entry>>,
        connection: &Arc<Connection>,
        keep_alive: bool,
        head_only: bool,
        version: Version,
    ) -> http::Response<Outgoing> {
        let (mut head, body) = answered.response.into_parts();
        if let Some(alula_http::Reason(reason)) = head.extensions.remove()
            && let Ok(reason) = hyper::ext::ReasonPhrase::try_from(reason.to_vec())
        {
            head.extensions.insert(reason);
        }
        let late = answered.kept.as_deref().map(|kept| Late {
            kept,
            connection,
            user: answered.user.as_deref(),
        });
        let found = answered.found.as_ref();
        self.change_headers(
            &mut head,
            found,
            answered.host,
            answered.received,
            late.as_ref(),
        );
        head.headers
            .entry(header::SERVER)
            .or_insert(HeaderValue::from_static("Alula"));
        let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if !keep_alive && version != Version::HTTP_2 && !switches {
            head.headers
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let body = match part(body) {
            Body::Part(part) if !connection.takes_files() || part.length < SENDFILE_BYTES_MIN => {
                self.assembly.part_content(part)
            }
            other => other,
        };
        let body = match version {
            Version::HTTP_2 => without_forbidden_content(&mut head, body, head_only),
            _ => body,
        };
        let streams = matches!(body, Body::Stream(_) | Body::Part(_)) && !head_only;
        let guard = match entry {
            Some(mut entry) => {
                if let Some(late) = &late
                    && self.logs.asks(answered.host)
                {
                    let asked = late.asked((&head.headers, head.status));
                    self.routes
                        .with_facts(answered.host, found, &asked, |facts| {
                            entry.decide(facts);
                        });
                }
                entry.answered(&head, version, keep_alive, found, answered.user.clone());
                Some(Sent::logged(entry, connection, &self.observer))
            }
            None if streams => Some(Sent::plain(connection, &self.observer)),
            None => {
                connection.answered();
                let bytes = body.len().filter(|_| !head_only);
                connection.request_over(&*self.observer, bytes.unwrap_or(0));
                None
            }
        };
        let outgoing = match body {
            Body::Part(part) => {
                // Bytes beyond what is said would be taken for the next response.
                let said = head.headers.get(header::CONTENT_LENGTH);
                let said = said.and_then(|said| said.to_str().ok()?.parse().ok());
                let length = said.map_or(part.length, |said| part.length.min(said));
                let part = FilePart { length, ..part };
                let file = OutgoingFile::new(part, connection, self.assembly.warm());
                Outgoing::file(file, guard)
            }
            body => Outgoing::new(body, guard),
        };
        http::Response::from_parts(head, outgoing)
    }

    /// `ExpiresDefault` and its kin, then `Header`, which comes last.
    fn change_headers(
        &self,
        head: &mut http::response::Parts,
        found: Option<&Found>,
        host: VirtualHostId,
        received: Option<SystemTime>,
        late: Option<&Late>,
    ) {
        // What was refused before it had a route has the settings outside all sections.
        let unmapped = found.is_none().then(|| self.routes.find(host, b"*"));
        let Some(found) = found.or(unmapped.as_ref()) else {
            return;
        };
        if let Some(expires) = &found.route.expires {
            expires::add(
                head,
                expires,
                matches!(found.route.action, Action::Files(_)),
            );
        }
        let changes = &found.route.response_headers;
        if !changes.is_empty() {
            let own = is_own_error(head);
            let moment = Moment::from(received);
            match late.filter(|_| changes.asks()) {
                None => changes.apply_to_response(&mut head.headers, own, &moment),
                Some(late) => {
                    let fields = head.headers.clone();
                    let asked = late.asked((&fields, head.status));
                    self.routes.with_facts(host, Some(found), &asked, |facts| {
                        changes.apply_to_response(&mut head.headers, own, &moment.of(facts));
                    });
                }
            }
        }
        if let Some(dynamic) = &found.dynamic {
            asking::add_changes(head, found, &dynamic.changes);
        }
    }
}

/// A file from its position on as a part of one.
pub(crate) fn part(body: Body) -> Body {
    let Body::File(mut file, length) = body else {
        return body;
    };
    match file.stream_position() {
        Ok(offset) => Body::Part(FilePart {
            file: Arc::new(file.into()),
            offset,
            length,
        }),
        Err(error) => {
            tracing::error!(target: "core", "a file has no position to be sent from: {error}");
            Body::Empty
        }
    }
}

/// The HTTP/2 engine sends whatever content there is, where that of HTTP/1.1 knows what may have none (RFC 9110
/// section 6.4.1).
fn without_forbidden_content(
    head: &mut http::response::Parts,
    body: Body,
    head_only: bool,
) -> Body {
    let forbidden = matches!(
        head.status,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
    );
    if !head_only && !forbidden {
        return body;
    }
    if let Some(length) = body.len().filter(|_| head_only && !forbidden) {
        head.headers
            .entry(header::CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
    }
    Body::Empty
}

/// Whether the server or its file engine has nothing to say but a status other than success.
fn is_own_error(head: &http::response::Parts) -> bool {
    !head.status.is_success() && head.extensions.get::<OwnPage>().is_some()
}
