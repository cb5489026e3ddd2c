//! Values as callers send them: texts that are borrowed unless they hold escapes, flags in two spellings, and free values
//! of any kind.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tessera_engine_core::signals::Value;
use tessera_wire::signal::NUMBER_SCALE;

use crate::limits::FREE_VALUES_MAX;

/// Text that is borrowed unless it holds escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Str<'a>(pub(crate) Cow<'a, str>);

pub(crate) type FreeValues<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// A flag that may come as a boolean or, as OpenRTB sends it, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flag(pub(crate) i64);

impl Flag {
    pub(crate) fn is_set(self) -> bool {
        self.0 == 1
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Str<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bit;
        impl Visitor<'_> for Bit {
            type Value = Flag;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("true, false, 0 or 1")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Flag, E> {
                Ok(Flag(i64::from(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Flag, E> {
                Ok(Flag(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Flag, E> {
                Ok(Flag(i64::try_from(value).unwrap_or(-1)))
            }
        }
        deserializer.deserialize_any(Bit)
    }
}

pub(super) fn texts<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Cow<'a, str>>, D::Error> {
    let list: Vec<Str<'a>> = Deserialize::deserialize(deserializer)?;
    Ok(list.into_iter().map(|text| text.0).collect())
}

pub(super) fn optional_texts<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Cow<'a, str>>>, D::Error> {
    let list: Option<Vec<Str<'a>>> = Deserialize::deserialize(deserializer)?;
    Ok(list.map(|list| list.into_iter().map(|text| text.0).collect()))
}

pub(super) fn free_values<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<FreeValues<'a>, D::Error> {
    struct Map;
    impl<'de> Visitor<'de> for Map {
        type Value = FreeValues<'de>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some((key, value)) = map.next_entry::<Str<'de>, FreeValue<'de>>()? {
                if values.len() == FREE_VALUES_MAX {
                    let what = format_args!("an object with more than {FREE_VALUES_MAX} entries").to_string();
                    return Err(serde::de::Error::custom(what));
                }
                if let Some(value) = value.0 {
                    values.push((key.0, value));
                }
            }
            Ok(values)
        }
    }
    deserializer.deserialize_map(Map)
}

/// A free value; `None` when no attribute could hold it.
struct FreeValue<'a>(Option<Value<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for FreeValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(FreeValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Option<Value<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Bool(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(value.saturating_mul(NUMBER_SCALE))))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        Ok(Some(Value::Number(value.saturating_mul(NUMBER_SCALE))))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        // `as` saturates, so an absurd number stays an absurd number and never wraps.
        Ok(Some(Value::Number((value * NUMBER_SCALE as f64).round() as i64)))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Borrowed(text))))
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Owned(text.to_owned()))))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(value) = list.next_element::<FreeValue<'de>>()? {
            if let Some(Value::Text(text)) = value.0 {
                texts.push(text);
            }
        }
        Ok(Some(Value::List(texts)))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
