//! What rendering costs: one content of each kind, into an answer's buffer, with values that need no escaping and with
//! values that are nothing but characters to be escaped.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tessera_engine_core::render::{Macro, Renderings, Scope, SlotScope, ValueBuffer, Values};
use tessera_wire::catalog::ContentKind;
use tessera_wire::program::WordId;

const SOURCES: [(ContentKind, &str); 4] = [
    (
        ContentKind::Html,
        r#"<div class="ad" data-campaign="${campaign}" data-decision="${decision_id}" lang="${locale|en}">
  <a href="${click_url}" style="display: block; color: inherit; text-decoration: none">
    <img src="${slot.image}" alt="${slot.image.alt}" style="width: 100%">
    <strong>${slot.headline}</strong> <span data-offer="${offer.id|}">${offer.code|}</span> <em>${slot.cta}</em>
    <small>${param.greeting|Hello}</small>
  </a>
</div>"#,
    ),
    (
        ContentKind::Json,
        r#"{"campaign": "${campaign}", "headline": "${slot.headline}", "image": "${slot.image}", "cta": "${slot.cta}",
  "greeting": "${param.greeting|Hello}", "discount": ${offer.value|null}, "click": "${click_url}"}"#,
    ),
    (
        ContentKind::Native,
        r#"{"title": "${slot.headline}", "image": {"url": "${slot.image}", "alt": "${slot.image.alt}"},
  "call_to_action": "${slot.cta}", "link": {"url": "${click_url}", "trackers": ["${impression_url}"]}}"#,
    ),
    (ContentKind::Url, "https://shop.example/autumn?h=${slot.headline}&g=${param.greeting|}&t=${timestamp}"),
];

/// A signed address is about this long.
const URL: &str = "https://ads.fernweh.example/c/AQKs4glrAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

struct Given {
    headline: &'static str,
}

impl Values for Given {
    fn value<'v>(&'v self, of: Macro, buffer: &'v mut ValueBuffer) -> Option<&'v str> {
        match of {
            Macro::Slot(0) => Some("https://cdn.fernweh.example/trail.jpg"),
            Macro::ClickUrl | Macro::ImpressionUrl | Macro::ViewableUrl => Some(URL),
            Macro::Timestamp => buffer.show(1_795_176_000_000i64),
            Macro::DecisionId => buffer.show(format_args!("{:032x}", 7u128)),
            Macro::Campaign => Some("autumn"),
            Macro::OfferValue => buffer.show(15.0),
            Macro::OfferId | Macro::OfferCode | Macro::Locale => Some("en"),
            _ => Some(self.headline),
        }
    }
}

fn render(criterion: &mut Criterion) {
    let slot = |name, holds_urls| SlotScope { name, holds_urls, holds_images: holds_urls, bytes_max: 1_024 };
    let slots = vec![slot("image", true), slot("headline", false), slot("cta", false)];
    let scope = Scope { slots, parameters: Some(vec![("greeting", WordId(1))]) };
    let mut renderings = Renderings::default();
    for (kind, source) in SOURCES {
        // A source that does not compile shows as a missing line.
        let _ = renderings.push(kind, source, &scope);
    }
    let mut group = criterion.benchmark_group("render");
    let values = [
        ("plain", Given { headline: "The autumn collection is here" }),
        ("escaped", Given { headline: "<\"&'><\"&'><\"&'><\"&'><\"&'><\"&'" }),
    ];
    for (number, (kind, _)) in SOURCES.into_iter().enumerate().take(renderings.len()) {
        for (name, given) in &values {
            let mut out = Vec::with_capacity(1 << 16);
            renderings.render_json(number, given, &mut out);
            group.throughput(Throughput::Bytes(out.len() as u64));
            group.bench_function(format!("{} {name}", kind.name()), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    renderings.render_json(number, black_box(given), &mut out);
                    black_box(out.len())
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, render);
criterion_main!(benches);
