//! What a server's TLS comes to: its own lines over the main server's, as mod_ssl merges them.

use super::draft::{Draft, ServerDraft, TlsDraft};
use super::{ClientCertificate, ClientCertificates, NamedFile, Tls};
use crate::diagnostic::Severity;
use crate::syntax::span::Span;
use std::path::PathBuf;

/// `None` where connections are not TLS.
pub(super) fn tls(
    draft: &mut Draft,
    server: &ServerDraft,
    main: Option<&ServerDraft>,
) -> Option<Tls> {
    let written = over(&server.tls, main.map(|main| &main.tls));
    let (on, span) = written.engine?;
    if !on {
        return None;
    }
    if written.certificates.is_empty() {
        let place = server.span.unwrap_or(span);
        let message = "SSLEngine is On and there is no certificate".to_owned();
        let hint = "SSLCertificateFile, and SSLCertificateKeyFile";
        draft.report(Severity::Error, place, message, Some(hint));
        return None;
    }
    let named = |(path, span): &(PathBuf, Span)| NamedFile {
        path: path.clone(),
        origin: draft.sources.origin(*span),
    };
    let (demand, demanded) = written.demand.unwrap_or((ClientCertificate::None, span));
    let client = ClientCertificates {
        demand,
        depth: written.depth.unwrap_or(1),
        authorities: written.authorities.as_ref().map(named),
        authority_directory: written.authority_directory.as_ref().map(named),
    };
    let (tls12, tls13) = written.protocols.unwrap_or((true, true));
    let tls = Tls {
        certificates: written.certificates.iter().map(named).collect(),
        keys: written.keys.iter().map(named).collect(),
        chain: written.chain.as_ref().map(named),
        tls12,
        tls13,
        own_cipher_order: written.own_cipher_order.unwrap_or(false),
        session_tickets: written.session_tickets.unwrap_or(true),
        strict_names: written.strict_names.unwrap_or(false),
        client,
        origin: draft.sources.origin(span),
    };
    let nobody = tls.client.authorities.is_none() && tls.client.authority_directory.is_none();
    if tls.client.demand != ClientCertificate::None && nobody {
        let message = "SSLVerifyClient: no authority is named that could vouch for a client";
        draft.report(
            Severity::Error,
            demanded,
            message.to_owned(),
            Some("SSLCACertificateFile"),
        );
    }
    Some(tls)
}

fn over(own: &TlsDraft, main: Option<&TlsDraft>) -> TlsDraft {
    let Some(main) = main else {
        return own.clone();
    };
    // Certificates and keys go together: with a certificate of its own, a server's keys are its own too.
    let own_pair = !own.certificates.is_empty();
    let pair = if own_pair { own } else { main };
    TlsDraft {
        engine: own.engine.or(main.engine),
        certificates: pair.certificates.clone(),
        keys: match own.keys.is_empty() {
            false => own.keys.clone(),
            true => pair.keys.clone(),
        },
        chain: own
            .chain
            .clone()
            .or_else(|| main.chain.clone().filter(|_| !own_pair)),
        protocols: own.protocols.or(main.protocols),
        own_cipher_order: own.own_cipher_order.or(main.own_cipher_order),
        session_tickets: own.session_tickets.or(main.session_tickets),
        strict_names: own.strict_names.or(main.strict_names),
        demand: own.demand.or(main.demand),
        depth: own.depth.or(main.depth),
        authorities: own.authorities.clone().or_else(|| main.authorities.clone()),
        authority_directory: own
            .authority_directory
            .clone()
            .or_else(|| main.authority_directory.clone()),
    }
}
