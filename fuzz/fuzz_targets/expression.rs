//! Any text as an expression: it parses or says what is wrong and where, and what parsed survives being passed on.
#![no_main]

use alula_config::expression::{Condition, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Condition::parse(text) {
        Ok(condition) => {
            let passed_on = serde_json::to_string(&condition).expect("a condition is plain data");
            let back: Condition = serde_json::from_str(&passed_on).expect("and comes back");
            assert_eq!(back, condition);
        }
        Err(mistake) => {
            assert!(!mistake.fact.is_empty());
            assert!(mistake.at <= text.chars().count());
        }
    }
    let _ = Value::parse(text);
});
