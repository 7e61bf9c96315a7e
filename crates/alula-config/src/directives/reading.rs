//! Directives that act while the file is read: the preprocessor has carried them out before their entries are looked at.

use super::{Apply, Args, Arity, Contexts, Entry, Problem, Scope};

#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "Include", args: Arity::exactly(1), syntax: "file | directory | pattern", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::WhileReading,
        doc: "Reads other files in place: a file, every file below a directory, or all that fit a pattern. Relative to `ServerRoot`.",
    },
    Entry {
        name: "IncludeOptional", args: Arity::exactly(1), syntax: "file | directory | pattern", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::WhileReading,
        doc: "`Include` that does not mind when there is nothing.",
    },
    Entry {
        name: "Define", args: Arity::between(1, 2), syntax: "name [value]", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::WhileReading,
        doc: "Gives a value to `${name}` from here on, everywhere. `${}` also finds environment variables, and Debian's `APACHE_*`.",
    },
    Entry {
        name: "UnDefine", args: Arity::exactly(1), syntax: "name", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::WhileReading,
        doc: "Undoes a `Define`.",
    },
    Entry {
        name: "Use", args: Arity::at_least(1), syntax: "macro value ...", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::WhileReading,
        doc: "Reads the body of a `<Macro>` in place, with values for its parameters.",
    },
    Entry {
        name: "UndefMacro", args: Arity::exactly(1), syntax: "macro", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::WhileReading,
        doc: "Undoes a `<Macro>`.",
    },
    Entry {
        name: "LoadModule", args: Arity::exactly(2), syntax: "name file", contexts: Contexts::SERVERS,
        default: "", apply: Apply::WhileReading,
        doc: "Loads nothing; `<IfModule>` finds the module from here on.",
    },
    Entry {
        name: "Error", args: Arity::ANY, syntax: "message", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(error),
        doc: "Refuses the configuration with a message.",
    },
    Entry {
        name: "Warning", args: Arity::ANY, syntax: "message", contexts: Contexts::EVERYWHERE,
        default: "", apply: Apply::Run(warning),
        doc: "Warns with a message.",
    },
];

fn error(_: &mut Scope, args: &Args) -> Result<(), Problem> {
    Err(Problem::new(sentence(args)))
}

fn warning(scope: &mut Scope, args: &Args) -> Result<(), Problem> {
    scope.warn(args.name.span, sentence(args), None);
    Ok(())
}

fn sentence(args: &Args) -> String {
    let words: Vec<&str> = args.words.iter().map(|word| word.text.as_str()).collect();
    words.join(" ")
}
