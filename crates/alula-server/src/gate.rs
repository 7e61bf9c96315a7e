//! Asks functions of WSGI scripts who may pass: `WSGIAccessScript`, `WSGIAuthUserScript`, `WSGIAuthGroupScript`.
//!
//! The question is a request like any other, without content, for a small application around the function
//! (`python/alula/gates.py`): so it reaches Python behind fronts as well. What the function says is in fields of the answer.

use crate::pipeline::Pipeline;
use alula_http::{Body, Handler, Request};
use alula_routing::{Asked, Found, PythonDefinition};
use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use std::sync::Arc;

/// How many functions are known at a time; one more, and all are forgotten. Only `.htaccess` files can bring new ones.
const GATES_MAX: usize = 256;

/// What runs them.
#[derive(Default)]
pub(crate) struct Gates {
    known: Mutex<Vec<Known>>,
}

/// A function, and what runs it.
type Known = (Arc<PythonDefinition>, Arc<dyn Handler>);

/// A request that is asked about.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'g> {
    pub(crate) pipeline: &'g Pipeline,
    pub(crate) found: &'g Found,
    pub(crate) asked: &'g Asked<'g>,
}

/// What `check_password` says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Password {
    /// It is the user's; the name may be another than was given.
    Right(Arc<str>),
    Wrong,
    /// Nobody here has the name.
    Unknown,
}

impl Gates {
    fn get(&self, pipeline: &Pipeline, definition: &Arc<PythonDefinition>) -> Arc<dyn Handler> {
        let mut known = self.known.lock();
        let same = |(other, _): &&Known| Arc::ptr_eq(other, definition) || other == definition;
        if let Some((_, handler)) = known.iter().find(same) {
            return handler.clone();
        }
        if known.len() >= GATES_MAX {
            known.clear();
        }
        let handler = pipeline.assembly.python(definition);
        known.push((definition.clone(), handler.clone()));
        handler
    }
}

impl Gate<'_> {
    /// Whether `allow_access` has nothing against the client.
    pub(crate) async fn allows(&self, definition: &Arc<PythonDefinition>) -> Result<bool, String> {
        let said = self.ask(definition, None).await?;
        Ok(field(&said, SAID) != Some("no"))
    }

    /// What `check_password` says of the credentials in the request.
    pub(crate) async fn password(
        &self,
        definition: &Arc<PythonDefinition>,
        user: &Arc<str>,
    ) -> Result<Password, String> {
        let said = self.ask(definition, Some(user.clone())).await?;
        Ok(match field(&said, SAID) {
            Some("yes") => Password::Right(user.clone()),
            Some("name") => {
                let name = said.get(NAME).and_then(decoded);
                Password::Right(name.ok_or("the user's new name cannot be read")?.into())
            }
            Some("unknown") => Password::Unknown,
            _ => Password::Wrong,
        })
    }

    /// The groups that `groups_for_user` names.
    pub(crate) async fn groups(
        &self,
        definition: &Arc<PythonDefinition>,
        user: &Arc<str>,
    ) -> Result<Vec<String>, String> {
        let said = self.ask(definition, Some(user.clone())).await?;
        Ok(said.get_all(NAME).iter().filter_map(decoded).collect())
    }

    /// The answer's fields. An error is logged in full where it happened.
    async fn ask(
        &self,
        definition: &Arc<PythonDefinition>,
        user: Option<Arc<str>>,
    ) -> Result<HeaderMap, String> {
        let asked = self.asked;
        let handler = self.pipeline.gates.get(self.pipeline, definition);
        let request = Request {
            method: Method::from_bytes(asked.method.as_bytes()).unwrap_or_default(),
            version: asked.version,
            target: Bytes::copy_from_slice(asked.target),
            path: Bytes::copy_from_slice(asked.path),
            query: asked.query.map(Bytes::copy_from_slice),
            headers: asked.headers.clone(),
            file: None,
            script_name_len: self.found.script_name_len.min(asked.path.len()),
            user,
            variables: self.found.request_variables(),
            peer: Arc::new(asked.peer.behind(asked.peer.remote)),
            body: Body::Empty,
            id: asked.id,
        };
        let response = handler.handle(request).await;
        match response.headers().contains_key(SAID) {
            true => Ok(response.into_parts().0.headers),
            false => Err("a script that is asked who may pass has failed".to_owned()),
        }
    }
}

/// What the function says: `yes`, `no`, `name`, `unknown`.
const SAID: &str = "x-alula-said";
/// A name, its UTF-8 in hexadecimal digits; fields hold ASCII.
const NAME: &str = "x-alula-name";

fn field<'h>(said: &'h HeaderMap, name: &str) -> Option<&'h str> {
    said.get(name)?.to_str().ok()
}

fn decoded(value: &http::HeaderValue) -> Option<String> {
    let digits = value.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::decoded;
    use http::HeaderValue;

    #[test]
    fn names_are_hexadecimal() {
        let check = |text: &'static str, expected: Option<&str>| {
            let found = decoded(&HeaderValue::from_static(text));
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("616e6e", Some("ann"));
        check("c3a9", Some("\u{e9}"));
        check("", Some(""));
        check("6", Some("\u{6}"));
        check("zz", None);
        check("ff", None);
    }
}
