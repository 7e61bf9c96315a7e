//! The corpus of the fuzz target, and mutations of it, as an ordinary test: whatever the text, loading ends and does not panic.
//!
//! The random numbers are seeded, so a failure repeats.

use alula_config::{LoadOptions, MemoryFiles, load_with};
use std::path::Path;

/// Mutations of each corpus file.
const ROUNDS: usize = 25;

/// Pieces that mean something to the parser.
const PIECES: &[&str] = &[
    "\\\n",
    "\n",
    "\"",
    "'",
    "<",
    ">",
    "</",
    "#",
    "${",
    "}",
    "${A}",
    "%",
    "%{",
    "!",
    "~ ",
    "\0",
    "\u{3000}",
    "é",
    "Include *\n",
    "Include site.conf\n",
    "<Location /a>\n",
    "</Location>\n",
    "<IfModule !x>\n",
    "</IfModule>\n",
    "Define A ${A}${A}\n",
    "Listen 80\n",
    "PythonOption django.root /a\n",
    "[",
    "(",
    "*",
];

#[test]
fn loading_never_panics() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/config");
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut count = 0;
    for entry in std::fs::read_dir(corpus).expect("the corpus is in the repository") {
        let text = std::fs::read(entry.expect("readable").path()).expect("readable");
        load(&text);
        for _ in 0..ROUNDS {
            let mut mutated = text.clone();
            for _ in 0..=random.below(6) {
                mutate(&mut mutated, &mut random);
            }
            load(&mutated);
        }
        count += 1;
    }
    assert!(count > 0, "no corpus");
}

fn load(text: &[u8]) {
    let files = MemoryFiles::default()
        .directory("/srv/www")
        .file("/etc/alula/site.conf", text);
    let mut options = LoadOptions::new("/etc/alula/site.conf");
    options.environment.clear();
    let said = match load_with(&options, &files) {
        Ok(loaded) => loaded.warnings,
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            errors
        }
    };
    for diagnostic in said {
        assert!(!diagnostic.to_string().is_empty());
    }
}

fn mutate(text: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(text.len() + 1);
    match random.below(5) {
        0 if at < text.len() => text[at] = random.byte(),
        1 if at < text.len() => drop(text.remove(at)),
        2 => {
            let end = (at + random.below(40)).min(text.len());
            let copy = text[at..end].to_vec();
            let place = random.below(text.len() + 1);
            text.splice(place..place, copy);
        }
        3 => text.truncate(at),
        _ => {
            let piece = PIECES[random.below(PIECES.len())].bytes();
            text.splice(at..at, piece);
        }
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % bound
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[7]
    }
}
