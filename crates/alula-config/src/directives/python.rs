//! mod_python's directives, and `PythonHome`, which is ours.
//!
//! What can be wrong with `django.root` is checked here; what depends on other lines is checked when the whole is known
//! (`site/check.rs`).

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};
use crate::site::draft::DjangoRoot;
use crate::site::{HandlerList, HandlerName, Import, Isolation, PythonPathLine};
use crate::syntax::lexer::Word;

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "PythonHandler", args: Arity::at_least(1), syntax: "module[::object] ... [| .extension ...]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(python_handler),
        doc: "Who answers where `SetHandler python-program` is in force; the object is `handler` unless named. Several are called in turn \
              while each returns `OK`. Repeated in one section it adds, in an inner section it replaces. After `|` come the extensions of \
              the files these handlers are for: where one fits, the handlers without extensions are not asked. A module may be \
              named by its file: `/srv/handlers/hello.py`.",
    },
    Entry {
        name: "PythonOption", args: Arity::between(1, 2), syntax: "key [value]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(python_option),
        doc: "A value for handlers, `req.get_options()`. Without a value the key is removed. `django.root` is the part of the URL that \
              Django does not see: `/mysite`, without a trailing slash.",
    },
    Entry {
        name: "PythonPath", args: Arity::exactly(1), syntax: "expression", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(python_path),
        doc: "A Python expression whose value replaces `sys.path`, once, before anything is imported: `\"['/srv/mysite'] + sys.path\"`.",
    },
    Entry {
        name: "PythonDebug", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(python_debug),
        doc: "Whether clients see tracebacks.",
    },
    Entry {
        name: "PythonAutoReload", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(python_auto_reload),
        doc: "For development: watches the files that Python has imported, the project around them and, with Django's `DEBUG`, the \
              templates. An edit brings a graceful restart: the next answers come from the new code, and as long as it does not import, \
              the old code goes on while the traceback is in the error log. In mod_python it is on unless switched off.",
    },
    Entry {
        name: "PythonStatic", args: Arity::exactly(1), syntax: "On | Off", contexts: Contexts::EVERYWHERE,
        default: "Off", apply: Apply::Run(python_static),
        doc: "Serves the files of a Django project without Python: what is below `STATIC_URL` comes from `STATIC_ROOT`, what is below \
              `MEDIA_URL` from `MEDIA_ROOT`, as the settings have them once they are imported. Names that `ManifestStaticFilesStorage` \
              has given a hash may be kept for a year, all others are asked for again. With `DEBUG` static files come from where the \
              staticfiles finders find them, so nothing has to be collected. Whoever may not see the project may not see its files, and \
              an `Alias` for the same URL goes before. `Off` in a `<Location>` leaves a part to Django. Alula's own.",
    },
    Entry {
        name: "PythonInterpreter", args: Arity::exactly(1), syntax: "name", contexts: Contexts::EVERYWHERE,
        default: "the virtual host's ServerName, main_interpreter in the main server", apply: Apply::Run(python_interpreter),
        doc: "Names the Python world that answers here: processes of its own, with their own `sys.path`, `os.environ`, Python and \
              size. The same name means the same processes. Where nothing names one, a virtual host that inherits its handler from the \
              main server shares `main_interpreter`, unless it sets another `DJANGO_SETTINGS_MODULE` or `PythonHome`.",
    },
    Entry {
        name: "PythonHome", args: Arity::exactly(1), syntax: "directory", contexts: Contexts::EVERYWHERE,
        default: "VIRTUAL_ENV, else python3 of PATH", apply: Apply::Run(python_home),
        doc: "The virtualenv, or the prefix, whose Python runs the interpreter. Alula's own.",
    },
    Entry {
        name: "PythonIsolation", args: Arity::exactly(1), syntax: "Auto | On | Off", contexts: Contexts::SERVER,
        default: "Auto", apply: Apply::Run(python_isolation),
        doc: "Whether a lone interpreter's workers answer behind fronts, as those of several interpreters do. In front, a crash costs \
              the requests the worker is inside of (502); a worker that accepts connections itself is faster by some microseconds, and \
              a crash closes its connections. `Auto`: without fronts until a worker is killed by a signal, then with them until the next \
              restart. `Off`: without. When workers end as soon as they are started fronts come in any case, to answer 503 and to serve \
              files meanwhile. Alula's own.",
    },
    Entry {
        name: "PythonImport", args: Arity::exactly(2), syntax: "module[::function] interpreter", contexts: Contexts::SERVERS,
        default: "", apply: Apply::Run(python_import),
        doc: "Imports a module when a worker starts, and calls a function in it. A failure is logged and does not stop the server.",
    },
];

fn python_handler(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let handlers = handler_names(args)?;
    let (location, directory) = (scope.location(), scope.directory());
    let origin = scope.origin(args.name.span);
    let in_main_server = scope.server == 0;
    let list = scope
        .settings()
        .python
        .handlers
        .get_or_insert_with(|| HandlerList {
            handlers: Vec::new(),
            location,
            directory,
            in_main_server,
            origin,
        });
    list.handlers.extend(handlers);
    Ok(())
}

/// `module::object ... | .ext ...`; a quoted argument may hold several of them.
fn handler_names(args: &Args) -> Result<Vec<HandlerName>, Problem> {
    let mut handlers = Vec::new();
    let mut extensions = Vec::new();
    let mut bar = None;
    for word in args.words {
        for mut text in word.text.split_whitespace() {
            if let Some(rest) = text.strip_prefix('|') {
                bar = Some(word);
                text = rest;
            }
            if text.is_empty() {
                continue;
            }
            if bar.is_none() {
                handlers.push(handler_name(word, text)?);
            } else if text.starts_with('.') {
                extensions.push(text.to_owned());
            } else {
                let message = format!("{text:?} is not an extension");
                return Err(Problem::at(word, message).hint(format!(".{text}")));
            }
        }
    }
    if handlers.is_empty() {
        return Err(Problem::new("names no handler"));
    }
    if let Some(word) = bar.filter(|_| extensions.is_empty()) {
        return Err(Problem::at(word, "no extension follows the |"));
    }
    for handler in &mut handlers {
        handler.extensions.clone_from(&extensions);
    }
    Ok(handlers)
}

fn handler_name(word: &Word, text: &str) -> Result<HandlerName, Problem> {
    let (module, object) = text.split_once("::").unwrap_or((text, "handler"));
    let is_file = module.starts_with('/');
    if !is_file && module.contains('/') {
        let message = format!("{module:?}: a module is named by its name, or by its whole path");
        return Err(Problem::at(word, message));
    }
    if !(is_file || is_dotted_name(module)) || !is_dotted_name(object) {
        let message = format!("{text:?} is not a module name");
        return Err(Problem::at(word, message).hint("package.module, or package.module::function"));
    }
    Ok(HandlerName {
        module: module.to_owned(),
        object: object.to_owned(),
        extensions: Vec::new(),
    })
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty()
            && !part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

fn python_option(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let key = args.text();
    let value = args.words.get(1).filter(|word| !word.text.is_empty());
    match (key.as_str(), value) {
        ("django.root", Some(word)) => {
            check_django_root(word)?;
            let root = DjangoRoot {
                value: word.text.clone(),
                span: word.span,
                server: scope.server,
                section: scope.sections.last().map(|section| section.pattern.clone()),
            };
            scope.draft.django_roots.push(root);
        }
        ("DJANGO_SETTINGS_MODULE", Some(word)) => {
            scope
                .draft
                .settings_modules
                .push((word.text.clone(), args.name.span));
        }
        _ => {}
    }
    let value = value.map(|word| word.text.clone());
    scope.settings().python.options.push((key, value));
    Ok(())
}

fn check_django_root(word: &Word) -> Result<(), Problem> {
    let root = word.text.trim_end_matches('/');
    if word.text.ends_with('/') {
        let message = format!("django.root {:?} ends with a slash", word.text);
        let hint = match root {
            "" => "leave the line out: a project at the root needs no django.root".to_owned(),
            root => format!("PythonOption django.root {root}"),
        };
        return Err(Problem::at(word, message).hint(hint));
    }
    if !root.starts_with('/') {
        let message = format!("django.root {root:?} does not start with a slash");
        return Err(Problem::at(word, message).hint(format!("PythonOption django.root /{root}")));
    }
    Ok(())
}

fn python_path(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    if word.text.trim().is_empty() {
        return Err(Problem::at(word, "is empty"));
    }
    let line = PythonPathLine {
        expression: word.text.clone(),
        origin: scope.origin(args.name.span),
    };
    scope.draft.python_paths.push((line.clone(), word.span));
    scope.settings().python.path = Some(line);
    Ok(())
}

fn python_debug(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let debug = args.flag()?;
    scope.settings().python.debug = Some(debug);
    if debug {
        scope.draft.debug_on.get_or_insert(args.name.span);
    }
    Ok(())
}

fn python_auto_reload(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().python.auto_reload = Some(args.flag()?);
    Ok(())
}

fn python_static(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.settings().python.site_files = Some(args.flag()?);
    Ok(())
}

fn python_interpreter(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    if args.text().is_empty() {
        return Err(Problem::at(args.first(), "is empty"));
    }
    let origin = scope.origin(args.name.span);
    scope.settings().python.interpreter = Some((args.text(), origin));
    Ok(())
}

fn python_isolation(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.draft.isolation = match args.text().to_ascii_lowercase().as_str() {
        "auto" => Isolation::Auto,
        "on" => Isolation::On,
        "off" => Isolation::Off,
        _ => return Err(Problem::at(args.first(), "must be Auto, On or Off")),
    };
    Ok(())
}

fn python_home(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let word = args.first();
    let home = scope.path(word);
    if !scope.draft.files.is_dir(&home) {
        let message = format!("no such directory {home:?}");
        return Err(Problem::at(word, message).hint("the folder made by python3 -m venv"));
    }
    let origin = scope.origin(args.name.span);
    scope.settings().python.home = Some((home, origin));
    Ok(())
}

fn python_import(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    let [module, interpreter] = args.words else {
        return Err(Problem::new("takes two arguments"));
    };
    let (name, function) = match module.text.split_once("::") {
        Some((name, function)) => (name, Some(function.to_owned())),
        None => (module.text.as_str(), None),
    };
    if name.is_empty() || function.as_deref() == Some("") {
        return Err(Problem::at(module, "names no module"));
    }
    let import = Import {
        module: name.to_owned(),
        function,
        interpreter: interpreter.text.clone(),
        origin: scope.origin(args.name.span),
    };
    scope.draft.imports.push(import);
    Ok(())
}
