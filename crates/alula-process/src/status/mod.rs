//! `SetHandler server-status` and `alula status`: the scoreboard as people and programs like to read it.
//!
//! Any worker may be asked, so everything comes from the scoreboard and, for memory and processor time, from the kernel at that
//! moment: nobody pays for it until it is asked for.

mod auto;
mod page;
mod report;
mod tables;
mod terminal;

pub use report::Report;

use crate::scoreboard::Scoreboard;
use alula_http::{Answer, Body, Handler, Request, Response, status_response};
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};

/// Without a number, `?refresh` means this many seconds (httpd's).
const REFRESH_SECONDS_DEFAULT: u32 = 10;

/// The handler: a page, `?auto` in httpd's format for programs, `?json`, and `?refresh=seconds` with any of them.
#[derive(Clone, Debug)]
pub struct StatusPage {
    scoreboard: Scoreboard,
    extended: bool,
}

impl StatusPage {
    /// `extended`: whether requests are on record while they run.
    #[must_use]
    pub fn new(scoreboard: Scoreboard, extended: bool) -> Self {
        Self {
            scoreboard,
            extended,
        }
    }

    fn respond(&self, asked: &Asked) -> Response {
        let report = Report::new(&self.scoreboard);
        let (media_type, text) = match asked.format {
            Format::Page => (
                "text/html; charset=utf-8",
                page::page(&report, &asked.server, self.extended),
            ),
            Format::Auto => (
                "text/plain; charset=utf-8",
                auto::auto(&report, &asked.server, self.extended),
            ),
            Format::Json => ("application/json", report.json()),
        };
        let mut response = http::Response::new(Body::from(text));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = asked.refresh {
            headers.insert(header::REFRESH, HeaderValue::from(seconds));
        }
        response
    }
}

impl Handler for StatusPage {
    fn handle(&self, request: Request) -> Answer {
        if !matches!(request.method, Method::GET | Method::HEAD) {
            let mut refused = status_response(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(header::ALLOW, allowed);
            return Box::pin(std::future::ready(refused));
        }
        let asked = Asked::new(&request);
        let page = self.clone();
        Box::pin(async move {
            // The kernel takes its time to tell of memory, and the loop shall not wait.
            let made = tokio::task::spawn_blocking(move || page.respond(&asked)).await;
            made.unwrap_or_else(|_| status_response(StatusCode::INTERNAL_SERVER_ERROR))
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Page,
    Auto,
    Json,
}

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// The host that was named.
    server: String,
    format: Format,
    refresh: Option<u32>,
}

impl Asked {
    fn new(request: &Request) -> Self {
        let host = request.headers.get(header::HOST);
        let server = host.and_then(|host| host.to_str().ok());
        let mut asked = Self {
            server: server.unwrap_or("localhost").to_owned(),
            format: Format::Page,
            refresh: None,
        };
        let query = request.query.as_deref().unwrap_or_default();
        for word in query.split(|&byte| matches!(byte, b'&' | b';')) {
            match word {
                b"auto" => asked.format = Format::Auto,
                b"json" => asked.format = Format::Json,
                b"refresh" => asked.refresh = Some(REFRESH_SECONDS_DEFAULT),
                [b'r', b'e', b'f', b'r', b'e', b's', b'h', b'=', seconds @ ..] => {
                    let seconds = std::str::from_utf8(seconds).ok();
                    let seconds = seconds.and_then(|text| text.parse().ok());
                    let given = seconds.filter(|&seconds| seconds > 0);
                    asked.refresh = Some(given.unwrap_or(REFRESH_SECONDS_DEFAULT));
                }
                _ => {}
            }
        }
        asked
    }
}

#[cfg(test)]
mod tests;
