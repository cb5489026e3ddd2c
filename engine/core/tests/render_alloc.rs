//! Rendering needs no heap but the growth of the buffer it writes to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use tessera_engine_core::render::{Macro, Renderings, Scope, SlotScope, ValueBuffer, Values};
use tessera_fixtures::counting_alloc::{CountingAllocator, heap_calls};
use tessera_wire::catalog::ContentKind;
use tessera_wire::program::WordId;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

struct Given(&'static str);

impl Values for Given {
    fn value<'v>(&'v self, of: Macro, buffer: &'v mut ValueBuffer) -> Option<&'v str> {
        match of {
            Macro::Timestamp => buffer.show(i64::MIN),
            Macro::CacheBuster => buffer.show(format_args!("{:0200}", 1)),
            Macro::Slot(_) => Some("https://cdn.example/a.png"),
            _ => Some(self.0),
        }
    }
}

#[test]
fn every_kind_is_rendered_without_allocating() {
    let slot = SlotScope { name: "image", holds_urls: true, holds_images: true, bytes_max: 100 };
    let scope = Scope { slots: vec![slot], parameters: Some(vec![("p", WordId(1))]) };
    let sources = [
        "<a href=\"${click_url}\" title=\"${param.p|}\"><img src=\"${slot.image}\" alt=\"${slot.image.alt}\">${param.p|x}</a>",
        "{\"a\": \"${param.p|}\", \"b\": ${timestamp}, \"c\": ${cache_buster}, \"d\": \"https://x.example/?q=${param.p|}\"}",
        "{\"image\": \"${slot.image}\"}",
        "https://x.example/?t=${timestamp}&p=${param.p|}",
    ];
    let mut renderings = Renderings::default();
    for (kind, source) in ContentKind::ALL.into_iter().zip(sources) {
        renderings.push(kind, source, &scope).unwrap();
    }
    let mut out = Vec::with_capacity(1 << 16);
    for value in ["plain", "<\"'&>\\\n\u{1}\u{2028}ß", "https://x.example/?a=b"] {
        let ((), calls) = heap_calls(|| {
            for content in 0..renderings.len() {
                renderings.render(content, &Given(value), &mut out);
                renderings.render_json(content, &Given(value), &mut out);
            }
        });
        assert_eq!(calls, 0, "{value}");
    }
    assert!(out.len() > 1_000);
}
