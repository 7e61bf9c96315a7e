//! mod_ssl's directives: HTTPS by rustls, which knows TLS 1.2 and 1.3 and chooses ciphers itself.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::ClientCertificate;
use crate::syntax::lexer::Word;
use std::path::PathBuf;

const CIPHERS: &str = "rustls chooses among modern ciphers only, and reads no OpenSSL names";
const CACHE: &str = "sessions are resumed by tickets; without them each worker remembers its own";
const NO_STAPLING: &str = "OCSP answers are not fetched";

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "SSLEngine", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Run(engine),
        doc: "Whether connections are TLS. All virtual hosts of one address and port share the answer of the first of them.",
    },
    Entry {
        name: "SSLCertificateFile", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(certificate),
        doc: "The server's certificate in PEM, its chain below it, and its key too if there is no `SSLCertificateKeyFile`. Repeated for RSA and \
              ECDSA side by side. Read before `User` takes effect, and again at a graceful restart.",
    },
    Entry {
        name: "SSLCertificateKeyFile", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(key),
        doc: "The certificate's private key in PEM, without a pass phrase. Only root need be able to read it.",
    },
    Entry {
        name: "SSLCertificateChainFile", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(chain),
        doc: "Certificates between the server's and an authority that clients know, for certificate files that lack them.",
    },
    Entry {
        name: "SSLProtocol", args: Arity::at_least(1), syntax: "[+|-]protocol ...", contexts: Contexts::SERVERS,
        default: "all", apply: Apply::Run(protocol),
        doc: "Which versions of TLS: `TLSv1.2`, `TLSv1.3`, or `all` for both. Older ones can be excluded, not included.",
    },
    Entry {
        name: "SSLCipherSuite", args: Arity::between(1, 2), syntax: "[protocol] ciphers", contexts: Contexts::SERVERS.and(Contexts::SECTIONS),
        default: "", apply: Apply::Ignored(CIPHERS),
        doc: "Which ciphers a connection may use.",
    },
    Entry {
        name: "SSLHonorCipherOrder", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Run(own_order),
        doc: "Whether the server's preference among ciphers counts rather than the client's.",
    },
    Entry {
        name: "SSLSessionTickets", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "On", apply: Apply::Run(tickets),
        doc: "Whether clients resume sessions by tickets. All workers share the keys; a restart makes new ones.",
    },
    Entry {
        name: "SSLStrictSNIVHostCheck", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Run(strict_names),
        doc: "Whether a client that names no host in the handshake is refused with 403.",
    },
    Entry {
        name: "SSLVerifyClient", args: Arity::exactly(1), syntax: "none | optional | require", contexts: Contexts::SERVERS.and(Contexts::SECTIONS),
        default: "none", apply: Apply::Run(verify_client),
        doc: "Whether clients are asked for a certificate that an authority of `SSLCACertificateFile` vouches for. It is asked for in the handshake, so \
              this concerns whole servers: `Require ssl-verify-client` in a section asks for one there.",
    },
    Entry {
        name: "SSLVerifyDepth", args: Arity::exactly(1), syntax: "number", contexts: Contexts::SERVERS.and(Contexts::SECTIONS),
        default: "1", apply: Apply::Run(verify_depth),
        doc: "How many certificates may stand above a client's, that of the authority included.",
    },
    Entry {
        name: "SSLCACertificateFile", args: Arity::exactly(1), syntax: "file", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(authorities),
        doc: "Authorities that vouch for clients, in PEM.",
    },
    Entry {
        name: "SSLCACertificatePath", args: Arity::exactly(1), syntax: "directory", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(authority_directory),
        doc: "A directory with authorities that vouch for clients: all files in it, whatever their names.",
    },
    Entry {
        name: "SSLOptions", args: Arity::at_least(1), syntax: "[+|-]option ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(options),
        doc: "`StdEnvVars`: applications see the `SSL_*` variables. `ExportCertData`: `SSL_SERVER_CERT`, `SSL_CLIENT_CERT` and \
              `SSL_CLIENT_CERT_CHAIN_n` too. `StrictRequire` holds anyway and `OptRenegotiate` has nothing to optimise.",
    },
    Entry {
        name: "SSLRequireSSL", args: Arity::exactly(0), syntax: "", contexts: Contexts::SECTIONS,
        default: "", apply: Apply::Run(require_ssl),
        doc: "Requests that did not come over TLS are refused with 403, whatever `Satisfy` says.",
    },
    Entry {
        name: "SSLCompression", args: Arity::exactly(1), syntax: "Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Fixed("Off"),
        doc: "TLS is never compressed (CRIME).",
    },
    Entry {
        name: "SSLInsecureRenegotiation", args: Arity::exactly(1), syntax: "Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Fixed("Off"),
        doc: "TLS is never negotiated anew.",
    },
    Entry {
        name: "SSLUseStapling", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::SERVERS,
        default: "Off", apply: Apply::Ignored(NO_STAPLING),
        doc: "Whether the server proves that its certificate was not revoked.",
    },
    Entry {
        name: "SSLSessionCache", args: Arity::exactly(1), syntax: "type", contexts: Contexts::SERVER,
        default: "none", apply: Apply::Ignored(CACHE),
        doc: "Where httpd's processes share sessions.",
    },
];

fn engine(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if args.text().eq_ignore_ascii_case("optional") {
        return Err(Problem::not_yet(args.first()));
    }
    let on = args.flag()?;
    scope.server().tls.engine = Some((on, args.name.span));
    Ok(())
}

fn certificate(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let file = file(scope, args.first())?;
    scope.server().tls.certificates.push((file, args.name.span));
    Ok(())
}

fn key(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let file = file(scope, args.first())?;
    scope.server().tls.keys.push((file, args.name.span));
    Ok(())
}

fn chain(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let file = file(scope, args.first())?;
    scope.server().tls.chain = Some((file, args.name.span));
    Ok(())
}

fn authorities(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let file = file(scope, args.first())?;
    scope.server().tls.authorities = Some((file, args.name.span));
    Ok(())
}

fn authority_directory(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let path = scope.path(word);
    if !scope.draft.files.is_dir(&path) {
        return Err(Problem::at(word, format!("no such directory {path:?}")));
    }
    scope.server().tls.authority_directory = Some((path, args.name.span));
    Ok(())
}

/// A file that is there; what is in it shows when it is read.
fn file(scope: &Scope, word: &Word) -> Result<PathBuf, Problem> {
    let path = scope.path(word);
    if scope.draft.files.is_dir(&path) {
        return Err(Problem::at(word, format!("{path:?} is a directory")));
    }
    if !scope.draft.files.exists(&path) {
        return Err(Problem::at(word, format!("no such file {path:?}")));
    }
    Ok(path)
}

/// httpd reads the words from left to right; one without a sign stands for itself alone.
fn protocol(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let (mut tls12, mut tls13) = (false, false);
    for word in args.words {
        let (sign, name) = match word.text.split_at_checked(1) {
            Some((sign @ ("+" | "-"), name)) => (sign, name),
            _ => ("", word.text.as_str()),
        };
        let selected = match name.to_ascii_lowercase().as_str() {
            "all" => (true, true),
            "tlsv1.2" => (true, false),
            "tlsv1.3" => (false, true),
            "sslv2" | "sslv3" | "tlsv1" | "tlsv1.1" => {
                if sign != "-" {
                    let message = format!("{name} is broken and not supported: TLS begins at 1.2");
                    return Err(
                        Problem::at(word, message).hint("SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1")
                    );
                }
                (false, false)
            }
            _ => {
                let message = format!("{name:?} is no version of TLS");
                return Err(Problem::at(word, message).hint("TLSv1.2, TLSv1.3 or all"));
            }
        };
        match sign {
            "+" => (tls12, tls13) = (tls12 || selected.0, tls13 || selected.1),
            "-" => (tls12, tls13) = (tls12 && !selected.0, tls13 && !selected.1),
            _ => (tls12, tls13) = selected,
        }
    }
    if !tls12 && !tls13 {
        return Err(Problem::new("no version of TLS is left").hint("SSLProtocol TLSv1.2 +TLSv1.3"));
    }
    scope.server().tls.protocols = Some((tls12, tls13));
    Ok(())
}

fn own_order(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().tls.own_cipher_order = Some(args.flag()?);
    Ok(())
}

fn tickets(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().tls.session_tickets = Some(args.flag()?);
    Ok(())
}

fn strict_names(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.server().tls.strict_names = Some(args.flag()?);
    Ok(())
}

fn verify_client(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    only_for_servers(scope, args)?;
    let demand = match args.text().to_ascii_lowercase().as_str() {
        "none" => ClientCertificate::None,
        "optional" => ClientCertificate::Optional,
        "require" => ClientCertificate::Required,
        "optional_no_ca" => return Err(Problem::not_yet(args.first())),
        _ => {
            return Err(Problem::at(
                args.first(),
                "must be none, optional or require",
            ));
        }
    };
    scope.server().tls.demand = Some((demand, args.name.span));
    Ok(())
}

fn verify_depth(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    only_for_servers(scope, args)?;
    let depth = args.number(0..=255)?;
    scope.server().tls.depth = u8::try_from(depth).ok();
    Ok(())
}

/// In a section, httpd would have to ask after the handshake; that is not possible here, and nothing to pass over.
fn only_for_servers(scope: &Scope, args: &Args) -> Result<(), Problem> {
    if scope.sections.is_empty() {
        return Ok(());
    }
    let message = "cannot stand in a section: certificates are asked for in the handshake only";
    let hint = format!(
        "{} optional in <VirtualHost>, and Require ssl-verify-client here",
        args.name.text
    );
    Err(Problem::new(message).hint(hint))
}

fn options(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let settings = &mut scope.settings().tls_options;
    if args
        .words
        .iter()
        .any(|word| !word.text.starts_with(['+', '-']))
    {
        // A word without a sign replaces what is inherited.
        (settings.variables, settings.certificates) = (Some(false), Some(false));
    }
    for word in args.words {
        let (on, name) = match word.text.split_at_checked(1) {
            Some(("+", name)) => (true, name),
            Some(("-", name)) => (false, name),
            _ => (true, word.text.as_str()),
        };
        match name.to_ascii_lowercase().as_str() {
            "stdenvvars" => settings.variables = Some(on),
            "exportcertdata" => settings.certificates = Some(on),
            "strictrequire" | "optrenegotiate" => {}
            "fakebasicauth" | "legacydnstringformat" if !on => {}
            "fakebasicauth" | "legacydnstringformat" => return Err(Problem::not_yet(word)),
            _ => return Err(Problem::at(word, format!("illegal option {name:?}"))),
        }
    }
    Ok(())
}

fn require_ssl(scope: &mut Scope, _: &Args) -> Result<(), Problem> {
    scope.settings().requires_tls = Some(true);
    Ok(())
}
