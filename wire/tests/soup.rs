//! Any bytes at all: every decoder of this crate answers with a value or a typed error, and never panics.

use proptest::prelude::*;
use tessera_wire::event::{Event, Touch, TouchKind};
use tessera_wire::journal::{Record, SegmentHeader, append_record, read_record};
use tessera_wire::posterior::{PosteriorTable, TemplateModel};
use tessera_wire::token::{TokenBuffer, TokenKey, verify};
use tessera_wire::{bundle, posterior};

/// Good bytes with some of them changed, and some cut off.
fn damage(good: &[u8], changes: &[(prop::sample::Index, u8)], keep: prop::sample::Index) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for (place, value) in changes {
        let place = place.index(bytes.len());
        bytes[place] = *value;
    }
    bytes.truncate(keep.index(bytes.len() + 1));
    bytes
}

fn changes() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, prop::sample::Index)> {
    (prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..8), any::<prop::sample::Index>())
}

fn table() -> PosteriorTable {
    let model = TemplateModel {
        template: "hero".into(),
        slots: vec![vec!["a".into(), "b".into()]],
        fields: Vec::new(),
        impressions: 1,
        clicks: 0,
        mean: vec![0.0; 3],
        draws: vec![0.0; 6],
    };
    PosteriorTable { generation: 1, made_at_ms: 2, models: vec![model] }
}

fn click() -> Event {
    let kind = TouchKind::Click;
    Event::Touch(Touch { decision_id: 7, ad: 0, kind, at_ms: 1, value_micros: 0, currency: *b"EUR" })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300), text: String) {
        let _ = bundle::decode(&bytes);
        let _ = posterior::decode(&bytes);
        let _ = SegmentHeader::decode(&bytes);
        let _ = read_record(&bytes);
        let key = TokenKey::new([1; 32]);
        prop_assert!(verify(&key, &text, 0, &mut TokenBuffer::default()).is_err());
    }

    #[test]
    fn a_damaged_table_is_refused_or_consistent((changes, keep) in changes()) {
        if let Ok(table) = posterior::decode(&damage(&posterior::encode(&table()), &changes, keep)) {
            prop_assert!(table.models.iter().all(|model| model.mean.len() == 3 && model.draws.len() == 6));
        }
    }

    #[test]
    fn a_damaged_record_never_reads_as_another((changes, keep) in changes()) {
        let mut good = Vec::new();
        append_record(3, &click(), &mut good);
        if let Record::Whole { sequence, event, used } = read_record(&damage(&good, &changes, keep)) {
            prop_assert_eq!((sequence, *event, used), (3, click(), good.len()));
        }
    }

    #[test]
    fn a_damaged_bundle_never_reads_as_another((changes, keep) in changes()) {
        let mut whole = bundle::Bundle::default();
        whole.catalog.text = "hero".into();
        // Generation, time and an older format number are outside the hash; the content is not.
        if let Ok(read) = bundle::decode(&damage(&bundle::encode(&whole), &changes, keep)) {
            prop_assert_eq!(read.catalog, whole.catalog);
            prop_assert_eq!(read.program, whole.program);
        }
    }
}
