//! `ErrorDocument`: what is sent with an error of the server.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::ErrorDocument;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "ErrorDocument", args: Arity::exactly(2), syntax: "status text | /path | URL | default", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(error_document),
        doc: "What is sent with an error of the server, one about a file or one that an application failed with; what an application \
              answers itself stays as it is. A path is asked for within the server and keeps the error's status, a URL is redirected to \
              (302), anything else is the text of the page; a text of one word must not look like either. `default` undoes an outer line. \
              A request refused before it is known which URL it is for gets the short page.",
    },
];

fn error_document(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [status, document] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    let code = status.text.parse::<u16>().ok();
    let code = code
        .filter(|code| (400..=599).contains(code))
        .ok_or_else(|| {
            let message = format!(
                "{:?} is not the status of an error (400 to 599)",
                status.text
            );
            Problem::at(status, message)
        })?;
    let text = document.text.as_str();
    // httpd's own way to tell them apart, in this order.
    let document = if text.eq_ignore_ascii_case("default") {
        ErrorDocument::Default
    } else if text.contains(' ') {
        ErrorDocument::Text(text.to_owned())
    } else if text.starts_with('/') {
        ErrorDocument::Path(text.to_owned())
    } else if is_url(text) {
        if code == 401 {
            // httpd leaves the line out as well.
            let message = "ErrorDocument: left out: a 401 cannot lead to a URL, a browser would not ask for the password";
            scope.warn(document.span, message, Some("name a path"));
            return Ok(());
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::at(document, format!("{text:?} is not a URL")));
        }
        ErrorDocument::Url(text.to_owned())
    } else {
        ErrorDocument::Text(text.to_owned())
    };
    scope.settings().error_documents.insert(code, document);
    Ok(())
}

fn is_url(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        !scheme.is_empty() && scheme.chars().all(allowed)
    })
}
