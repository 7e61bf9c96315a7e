//! Text in shared memory: bytes as words that are written and read one by one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Writes as much as there is room for. Returns how many bytes that is.
pub(super) fn write(words: &[AtomicU64], text: &[u8]) -> usize {
    let text = &text[..text.len().min(words.len() * 8)];
    let mut chunks = text.chunks_exact(8);
    let mut places = words.iter();
    for (chunk, place) in chunks.by_ref().zip(&mut places) {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        place.store(word, Relaxed);
    }
    let rest = chunks.remainder();
    if let (false, Some(place)) = (rest.is_empty(), places.next()) {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        place.store(u64::from_le_bytes(last), Relaxed);
    }
    text.len()
}

/// The first bytes of a text.
pub(super) fn read(words: &[AtomicU64], length: usize) -> Vec<u8> {
    let bytes = words
        .iter()
        .flat_map(|word| word.load(Relaxed).to_le_bytes());
    bytes.take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written_or_as_far_as_there_was_room() {
        let words: Vec<AtomicU64> = (0..3).map(|_| AtomicU64::new(u64::MAX)).collect();
        let check = |text: &[u8], expected: &[u8]| {
            let length = write(&words, text);
            assert_eq!(read(&words, length), expected);
        };
        check(b"", b"");
        check(b"seven b", b"seven b");
        check(b"eight by", b"eight by");
        check(b"a whole sentence, or not", b"a whole sentence, or not");
        check(b"a whole sentence, or not?", b"a whole sentence, or not");
    }
}
