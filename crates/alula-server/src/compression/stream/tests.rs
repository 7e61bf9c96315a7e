//! What goes in comes out, whatever the pieces, and nothing is held back while more is waited for.

use super::*;
use alula_routing::site::{Coding, CompressionSettings};
use http_body::Body as _;
use std::collections::VecDeque;
use std::io::Read;

/// Pieces, with a pause wherever there is none.
struct Pieces(VecDeque<Option<Bytes>>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(None) => Poll::Pending,
            Some(Some(piece)) => Poll::Ready(Some(Ok(Frame::data(piece)))),
        }
    }
}

fn compressed(coding: Coding, pieces: Vec<Option<Bytes>>) -> Compressed {
    let encoder = Encoder::new(coding, &CompressionSettings::default()).expect("an encoder");
    let place = Place::take().expect("few tests");
    Compressed::new(Body::stream(Pieces(pieces.into())), encoder, place)
}

/// As much as can be read of what may be the start of something.
fn unpacked(coding: Coding, packed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    // A cut message is an error at its end, after all that is in it.
    let _ = match coding {
        Coding::Gzip => flate2::read::GzDecoder::new(packed).read_to_end(&mut content),
        Coding::Brotli => brotli::Decompressor::new(packed, 4096).read_to_end(&mut content),
        Coding::Zstd => {
            zstd::Decoder::new(packed).and_then(|mut decoder| decoder.read_to_end(&mut content))
        }
    };
    content
}

const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

#[test]
fn what_goes_in_comes_out() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let noise: Vec<u8> = (0..300_000_u32)
        .map(|n| (n.wrapping_mul(n) >> 7) as u8)
        .collect();
    for coding in CODINGS {
        for size in [1, 1000, INLINE_BYTES_MAX + 1, 100_000] {
            let pieces = noise.chunks(size).take(400);
            let content: Vec<u8> = pieces.clone().flatten().copied().collect();
            let pieces = pieces.map(|piece| Some(Bytes::copy_from_slice(piece)));
            let mut body = compressed(coding, pieces.collect());
            let mut packed = Vec::new();
            runtime.block_on(async {
                let body = &mut body;
                while let Some(frame) =
                    std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
                {
                    packed.extend_from_slice(&frame.expect("no error").into_data().expect("data"));
                }
            });
            assert!(unpacked(coding, &packed) == content, "{coding:?} {size}");
        }
    }
}

#[test]
fn a_stream_is_not_held_back() {
    let mut context = Context::from_waker(std::task::Waker::noop());
    for coding in CODINGS {
        let words = ["one", "two", "three"];
        let pieces = words
            .iter()
            .flat_map(|word| [Some(Bytes::from(*word)), None]);
        let mut body = compressed(coding, pieces.collect());
        let mut packed = Vec::new();
        let mut seen = String::new();
        for word in words {
            seen.push_str(word);
            loop {
                match Pin::new(&mut body).poll_frame(&mut context) {
                    Poll::Ready(Some(Ok(frame))) => {
                        packed.extend_from_slice(&frame.into_data().expect("data"));
                        break;
                    }
                    Poll::Pending => {}
                    Poll::Ready(other) => panic!("{coding:?}: {other:?}"),
                }
            }
            assert_eq!(unpacked(coding, &packed), seen.as_bytes(), "{coding:?}");
        }
    }
}

#[test]
fn places_are_given_back() {
    let taken: Vec<_> = std::iter::from_fn(Place::take)
        .take(2 * AT_A_TIME_MAX)
        .collect();
    assert!(taken.len() <= AT_A_TIME_MAX);
    drop(taken);
    assert!(Place::take().is_some());
}
