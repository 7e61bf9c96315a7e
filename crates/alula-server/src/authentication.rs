//! Who a request comes from: `AuthType Basic` (RFC 7617), and whether that is enough.
//!
//! A password is checked on a thread of its own: bcrypt takes tens of milliseconds on purpose, and the loop waits for nobody. What proved
//! right is remembered, so that a browser, which sends the password with every request, pays once.

mod files;
mod password;

use crate::gate::{Gate, Password};
use alula_http::Peer;
use alula_routing::site::{Asker, Provider, User};
use alula_routing::{Access, Basic, Verdict};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use files::{Files, Table};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use parking_lot::Mutex;
use sha1::{Digest, Sha1};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many passwords are checked at a time, so that guessing cannot take all cores from the site.
const CHECKS_MAX: usize = 2;

/// How many right passwords are remembered; one more, and all are forgotten.
const REMEMBERED_MAX: usize = 1024;

/// Checks users; one for the whole worker.
pub(crate) struct Authenticator {
    files: Files,
    checks: Arc<Semaphore>,
    remembered: Mutex<HashSet<Fingerprint>>,
    /// Makes fingerprints worthless outside this process.
    key: [u8; 16],
}

/// A digest of a user, the password, and the line of the file it fitted: when the line changes it means nothing any more.
type Fingerprint = [u8; 20];

/// Why a request does not pass.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// Who the client says it is.
    pub(crate) claimed: Option<Arc<str>>,
    reason: String,
    challenge: Option<HeaderValue>,
}

struct Credentials {
    user: String,
    password: Vec<u8>,
}

impl Default for Authenticator {
    fn default() -> Self {
        let random = [RandomState::new(), RandomState::new()].map(|state| state.hash_one(0));
        let mut key = [0; 16];
        key[..8].copy_from_slice(&random[0].to_ne_bytes());
        key[8..].copy_from_slice(&random[1].to_ne_bytes());
        Self {
            files: Files::default(),
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            remembered: Mutex::default(),
            key,
        }
    }
}

impl Authenticator {
    /// The user of a request that passes only with one; none, where a script lets it pass without.
    pub(crate) async fn admit(
        &self,
        access: &Access,
        asker: &Asker<'_>,
        headers: &HeaderMap,
        gate: Option<&Gate<'_>>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let mut asker = *asker;
        if let (Some(script), Some(gate)) = (&access.script, gate) {
            asker.script = Some(gate.allows(script).await.map_err(misconfigured)?);
            match access.judge(&asker) {
                Verdict::Pass => return Ok(None),
                Verdict::Refuse => return Err(Refusal::denied()),
                Verdict::AskUser => {}
            }
        }
        let Some(basic) = &access.authentication else {
            return Err(misconfigured(
                "a user is required, and there is no AuthType".to_owned(),
            ));
        };
        if access.require.is_none() {
            return Err(misconfigured(
                "there is an AuthType and no Require".to_owned(),
            ));
        }
        let Some(realm) = &basic.realm else {
            return Err(misconfigured("AuthType Basic needs AuthName".to_owned()));
        };
        let Some(credentials) = credentials(headers) else {
            return Err(unauthorized(realm, None, "no user and password".to_owned()));
        };
        let mut name: Arc<str> = credentials.user.as_str().into();
        match self.is_right(basic, credentials, &name, gate).await {
            Ok(Password::Right(right)) => name = right,
            Ok(Password::Wrong) => {
                let reason = "the password is wrong".to_owned();
                return Err(unauthorized(realm, Some(name), reason));
            }
            Ok(Password::Unknown) => {
                let reason = "the user is unknown".to_owned();
                return Err(unauthorized(realm, Some(name), reason));
            }
            Err(reason) => return Err(misconfigured(reason)),
        }
        let mut groups = self.groups(basic, &name).unwrap_or_else(|reason| {
            // As in httpd: then nobody is in a group, and another Require may still let the user pass.
            tracing::error!(target: "authz_groupfile", "{reason}");
            Vec::new()
        });
        let asks_groups = access
            .require
            .as_ref()
            .is_some_and(|rules| rules.asks_groups());
        if let (Some(script), Some(gate), true) = (&basic.group_script, gate, asks_groups) {
            groups.extend(gate.groups(script, &name).await.map_err(misconfigured)?);
        }
        let known = Asker {
            user: Some(User {
                name: &name,
                groups: &groups,
            }),
            ..asker
        };
        if access.judge(&known) == Verdict::Pass {
            return Ok(Some(name));
        }
        let reason = "no Require lets this user pass".to_owned();
        let mut refusal = unauthorized(realm, Some(name), reason);
        if basic.forbidden_on_failure {
            refusal.status = StatusCode::FORBIDDEN;
            refusal.challenge = None;
        }
        Err(refusal)
    }

    /// Asks one provider after the other, until one knows the user. An error is the configuration's fault.
    async fn is_right(
        &self,
        basic: &Basic,
        credentials: Credentials,
        name: &Arc<str>,
        gate: Option<&Gate<'_>>,
    ) -> Result<Password, String> {
        let credentials = Arc::new(credentials);
        for provider in &basic.providers {
            let said = match (provider, &basic.user_script, gate) {
                (Provider::File, ..) => match self.is_in_file(basic, &credentials).await? {
                    Some(true) => Password::Right(name.clone()),
                    Some(false) => Password::Wrong,
                    None => Password::Unknown,
                },
                (Provider::Wsgi, Some(script), Some(gate)) => gate.password(script, name).await?,
                (Provider::Wsgi, ..) => {
                    return Err("AuthBasicProvider wsgi needs WSGIAuthUserScript".to_owned());
                }
            };
            if said != Password::Unknown {
                return Ok(said);
            }
        }
        Ok(Password::Unknown)
    }

    /// Whether the password is the one in the file; `None` when the user is not.
    async fn is_in_file(
        &self,
        basic: &Basic,
        credentials: &Arc<Credentials>,
    ) -> Result<Option<bool>, String> {
        let Some(path) = &basic.user_file else {
            return Err("AuthType Basic needs AuthUserFile".to_owned());
        };
        let users = self.files.get(path)?;
        let Some(stored) = users.get(&credentials.user) else {
            return Ok(None);
        };
        // `htpasswd` may write more after another colon.
        let stored = stored.split(':').next().unwrap_or_default().to_owned();
        let fingerprint = self.fingerprint(credentials, &stored);
        if self.remembered.lock().contains(&fingerprint) {
            return Ok(Some(true));
        }
        let credentials = credentials.clone();
        // The permit goes along: a client that leaves does not make room for another check.
        let permit = self.checks.clone().acquire_owned().await;
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            password::fits(&credentials.password, &stored)
        });
        match checked.await {
            Ok(Some(true)) => {
                let mut remembered = self.remembered.lock();
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                remembered.insert(fingerprint);
                Ok(Some(true))
            }
            Ok(Some(false)) => Ok(Some(false)),
            Ok(None) => {
                tracing::debug!(target: "authn_file", "{path:?}: a stored password is not of a kind that is supported, and lets nobody in");
                Ok(Some(false))
            }
            Err(error) => Err(format!("the password cannot be checked: {error}")),
        }
    }

    fn fingerprint(&self, credentials: &Credentials, stored: &str) -> Fingerprint {
        let mut digest = Sha1::new();
        digest.update(self.key);
        for part in [
            credentials.user.as_bytes(),
            stored.as_bytes(),
            credentials.password.as_slice(),
        ] {
            digest.update(part.len().to_ne_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// The groups that name a user.
    fn groups(&self, basic: &Basic, user: &str) -> Result<Vec<String>, String> {
        let Some(path) = &basic.group_file else {
            return Ok(Vec::new());
        };
        let groups: Arc<Table> = self.files.get(path)?;
        let naming = groups
            .iter()
            .filter(|(_, users)| users.split_ascii_whitespace().any(|name| name == user));
        Ok(naming.map(|(group, _)| group.to_owned()).collect())
    }
}

impl Refusal {
    /// Nobody may.
    pub(crate) fn denied() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            claimed: None,
            reason: "denied by configuration".to_owned(),
            challenge: None,
        }
    }

    pub(crate) fn log(&self, peer: &Peer, id: u64) {
        let (user, reason) = (self.claimed.as_deref().unwrap_or("-"), &self.reason);
        if self.status.is_server_error() {
            tracing::error!(target: "auth_basic", client = %peer.remote, request = id, "{reason}");
        } else {
            tracing::debug!(target: "auth_basic", client = %peer.remote, request = id, "user {user:?}: {reason}");
        }
    }

    /// Asks for a password, where one can help.
    pub(crate) fn challenge(&self, headers: &mut HeaderMap) {
        if let Some(challenge) = &self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        }
    }
}

fn misconfigured(reason: String) -> Refusal {
    Refusal {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        claimed: None,
        reason,
        challenge: None,
    }
}

fn unauthorized(realm: &str, claimed: Option<Arc<str>>, reason: String) -> Refusal {
    let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        claimed,
        reason,
        challenge: HeaderValue::from_str(&format!("Basic realm=\"{realm}\"")).ok(),
    }
}

/// User and password (RFC 7617 section 2). A name that is not UTF-8 is nobody's.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, encoded) = value.split_at_checked("Basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    Some(Credentials {
        user: str::from_utf8(&decoded[..colon]).ok()?.to_owned(),
        password: decoded[colon + 1..].to_vec(),
    })
}

#[cfg(test)]
mod tests;
