//! Responses on their way out: mod_filter, mod_deflate and mod_brotli as far as they compress, and mod_xsendfile.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::{Coding, EtagAlteration};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "SetOutputFilter", args: Arity::exactly(1), syntax: "filter[;filter ...] | None", contexts: Contexts::EVERYWHERE,
        default: "None", apply: Apply::Run(set_output_filter),
        doc: "Compresses every response: `DEFLATE` (gzip), `BROTLI_COMPRESS`, `ZSTD`. Of several the one the client likes best, else the first. \
              A response that is encoded already, of a range, with `no-transform` or shorter than 200 bytes stays as it is, and so does every one \
              with `SetEnv no-gzip 1`.",
    },
    Entry {
        name: "AddOutputFilterByType", args: Arity::at_least(2), syntax: "filter[;filter ...] media-type ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_output_filter_by_type),
        doc: "Compresses responses of some media types, of files and of applications alike; `text/*` stands for all that start so.",
    },
    Entry {
        name: "AddOutputFilter", args: Arity::at_least(2), syntax: "filter[;filter ...] extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(add_output_filter),
        doc: "Compresses files with some extensions.",
    },
    Entry {
        name: "RemoveOutputFilter", args: Arity::at_least(1), syntax: "extension ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(remove_output_filter),
        doc: "Undoes an outer section's `AddOutputFilter` for some extensions.",
    },
    Entry {
        name: "DeflateCompressionLevel", args: Arity::exactly(1), syntax: "1-9", contexts: Contexts::SERVERS,
        default: "6", apply: Apply::Run(deflate_compression_level),
        doc: "How hard `DEFLATE` tries.",
    },
    Entry {
        name: "BrotliCompressionQuality", args: Arity::exactly(1), syntax: "0-11", contexts: Contexts::SERVERS,
        default: "5", apply: Apply::Run(brotli_compression_quality),
        doc: "How hard `BROTLI_COMPRESS` tries; above 9 it is too slow to be done for each request.",
    },
    Entry {
        name: "ZstdCompressionLevel", args: Arity::exactly(1), syntax: "1-19", contexts: Contexts::SERVERS,
        default: "3", apply: Apply::Run(zstd_compression_level),
        doc: "How hard `ZSTD` tries. Alula's own.",
    },
    Entry {
        name: "DeflateAlterETag", args: Arity::exactly(1), syntax: "AddSuffix | NoChange | Remove", contexts: Contexts::SERVERS,
        default: "AddSuffix", apply: Apply::Run(alter_etag),
        doc: "What becomes of the `ETag` of a compressed response: `\"x\"` becomes `\"x-gzip\"`, `\"x-br\"` or `\"x-zstd\"`. A client that sends such a \
              tag back gets its 304.",
    },
    Entry {
        name: "BrotliAlterETag", args: Arity::exactly(1), syntax: "AddSuffix | NoChange | Remove", contexts: Contexts::SERVERS,
        default: "AddSuffix", apply: Apply::Run(alter_etag),
        doc: "The same as `DeflateAlterETag`.",
    },
    tuning("DeflateBufferSize"),
    tuning("DeflateMemLevel"),
    tuning("DeflateWindowSize"),
    tuning("BrotliCompressionMaxInputBlock"),
    tuning("BrotliCompressionWindow"),
    note("DeflateFilterNote"),
    note("BrotliFilterNote"),
    Entry {
        name: "XSendFile", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(x_send_file),
        doc: "Whether an application may name a file for the server to send, by a response header: `X-Sendfile` is the path of the file, \
              `X-Accel-Redirect` a URL path that is mapped to one. The file comes with its own validators, and with ranges; the other headers are \
              the application's.",
    },
    Entry {
        name: "XSendFilePath", args: Arity::exactly(1), syntax: "directory", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(x_send_file_path),
        doc: "A directory that holds what `XSendFile` may send; relative paths of `X-Sendfile` start there. Without one nothing is sent: 404.",
    },
    Entry {
        name: "XSendFileUnescape", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "On", apply: Apply::Run(x_send_file_unescape),
        doc: "Whether the path in `X-Sendfile` is percent-decoded.",
    },
    Entry {
        name: "PrecompressedFiles", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(precompressed_files),
        doc: "Sends `site.css.br`, `site.css.zst` or `site.css.gz` for `site.css` to clients that can read it, where it exists and is not older. \
              Alula's own; `collectstatic` of several storages writes such files.",
    },
];

const fn tuning(name: &'static str) -> Entry {
    Entry {
        name,
        args: Arity::exactly(1),
        syntax: "number",
        contexts: Contexts::SERVERS,
        default: "",
        apply: Apply::Ignored("the compressors' memory is fixed"),
        doc: "How much memory a compressor uses.",
    }
}

const fn note(name: &'static str) -> Entry {
    Entry {
        name,
        args: Arity::between(1, 2),
        syntax: "[Input | Output | Ratio] note",
        contexts: Contexts::SERVERS,
        default: "",
        apply: Apply::Ignored("compression leaves no notes for the log"),
        doc: "A note for the access log.",
    }
}

/// The codings that a list of filters makes.
fn codings(word: &Word) -> Result<Vec<Coding>, Problem> {
    let mut codings = Vec::new();
    for name in word.text.split(';').filter(|name| !name.is_empty()) {
        codings.push(match name.to_ascii_lowercase().as_str() {
            "deflate" => Coding::Gzip,
            "brotli_compress" => Coding::Brotli,
            "zstd" => Coding::Zstd,
            "none" if word.text.eq_ignore_ascii_case("none") => return Ok(Vec::new()),
            "inflate" | "includes" | "ratelimit" | "substitute" | "sed" | "xml2enc"
            | "charset_lite" | "proxy-html" | "buffer" | "content_length" | "reflector" => {
                return Err(Problem::not_yet(word));
            }
            _ => {
                let message = format!("there is no filter {name:?}");
                return Err(Problem::at(word, message).hint("DEFLATE, BROTLI_COMPRESS or ZSTD"));
            }
        });
    }
    Ok(codings)
}

fn set_output_filter(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().compression.always = Some(codings(args.first())?);
    Ok(())
}

fn add_output_filter_by_type(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let codings = codings(args.first())?;
    for word in &args.words[1..] {
        if !word.text.contains('/') {
            let message = format!("{:?} is not a media type", word.text);
            return Err(Problem::at(word, message));
        }
        let by_type = &mut scope.settings().compression.by_type;
        let known = by_type.entry(word.text.to_ascii_lowercase()).or_default();
        // Lines for one type add up, as in mod_filter.
        known.extend(&codings);
    }
    Ok(())
}

fn key(extension: &str) -> String {
    extension.trim_start_matches('.').to_ascii_lowercase()
}

fn add_output_filter(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let codings = codings(args.first())?;
    for word in &args.words[1..] {
        let by_extension = &mut scope.settings().compression.by_extension;
        by_extension.insert(key(&word.text), codings.clone());
    }
    Ok(())
}

fn remove_output_filter(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    for word in args.words {
        let by_extension = &mut scope.settings().compression.by_extension;
        by_extension.entry(key(&word.text)).or_default();
    }
    Ok(())
}

fn deflate_compression_level(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().compression.gzip_level = Some(args.number(1..=9)? as u8);
    Ok(())
}

fn brotli_compression_quality(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().compression.brotli_quality = Some(args.number(0..=11)? as u8);
    Ok(())
}

fn zstd_compression_level(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().compression.zstd_level = Some(args.number(1..=19)? as u8);
    Ok(())
}

fn alter_etag(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let alteration = match args.text().to_ascii_lowercase().as_str() {
        "addsuffix" => EtagAlteration::AddSuffix,
        "nochange" => EtagAlteration::NoChange,
        "remove" => EtagAlteration::Remove,
        _ => {
            return Err(Problem::at(
                args.first(),
                "must be AddSuffix, NoChange or Remove",
            ));
        }
    };
    scope.settings().compression.etag = Some(alteration);
    Ok(())
}

fn x_send_file(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().send_file.active = Some(args.flag()?);
    Ok(())
}

fn x_send_file_path(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    if !word.text.starts_with('/') {
        return Err(Problem::at(
            word,
            format!("path {:?} is not absolute", word.text),
        ));
    }
    // Components drop a trailing slash and single dots.
    let root = scope.path(word).components().collect();
    scope.settings().send_file.roots.push(root);
    Ok(())
}

fn x_send_file_unescape(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().send_file.unescape = Some(args.flag()?);
    Ok(())
}

fn precompressed_files(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().files.precompressed = Some(args.flag()?);
    Ok(())
}
