//! Escaping: how a value is written where a template puts it, and how all of it is written into an answer.
//!
//! Every function writes runs of bytes that need no change at once. Nothing here allocates but the sink's growth.

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// Text of a page, or of a quoted attribute.
    Html,
    /// A whole address in a quoted attribute.
    UrlHtml,
    /// A whole address inside a JSON string.
    UrlJson,
    /// A whole address.
    UrlPlain,
    /// Part of a query or fragment: percent-encoded, which needs no more escaping anywhere.
    Query,
    /// Part of a JSON string.
    Json,
    /// A JSON number, `true`, `false` or `null`.
    Scalar,
}

impl Escape {
    /// Can this value stand here at all? Otherwise the fallback does.
    pub(super) fn admits(self, value: &str) -> bool {
        match self {
            Escape::UrlHtml | Escape::UrlJson | Escape::UrlPlain => super::url::is_safe(value),
            Escape::Scalar => super::json::is_scalar(value),
            Escape::Html | Escape::Query | Escape::Json => true,
        }
    }

    /// Bytes that one byte can become.
    pub(super) const fn growth(self) -> usize {
        match self {
            Escape::Html | Escape::UrlHtml | Escape::Json | Escape::UrlJson => 6,
            Escape::Query => 3,
            Escape::UrlPlain | Escape::Scalar => 1,
        }
    }

    pub(super) fn write(self, value: &str, sink: &mut impl Sink) {
        match self {
            Escape::Html | Escape::UrlHtml => write_html(value, sink),
            Escape::Json | Escape::UrlJson => write_json(value, sink),
            Escape::Query => write_query(value, sink),
            Escape::UrlPlain | Escape::Scalar => sink.text(value),
        }
    }
}

/// Where a rendering goes.
pub(super) trait Sink {
    /// Text that may hold anything.
    fn text(&mut self, text: &str);
    /// Text without quotes, backslashes and control characters.
    fn plain(&mut self, text: &str);
    /// A text that was prepared in both forms.
    fn prepared(&mut self, text: &str, quoted: &str);
}

/// As it is.
pub(super) struct Bare<'o>(pub(super) &'o mut Vec<u8>);

impl Sink for Bare<'_> {
    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn plain(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn prepared(&mut self, text: &str, _: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// As the content of a JSON string.
pub(super) struct Quoted<'o>(pub(super) &'o mut Vec<u8>);

impl Sink for Quoted<'_> {
    fn text(&mut self, text: &str) {
        let mut plain = Bare(self.0);
        runs(text, &mut plain, |byte| match byte {
            b'"' => Some("\\\""),
            b'\\' => Some("\\\\"),
            b'\n' => Some("\\n"),
            b'\r' => Some("\\r"),
            b'\t' => Some("\\t"),
            byte if byte < 0x20 => Some(CONTROLS[usize::from(byte)]),
            _ => None,
        });
    }

    fn plain(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn prepared(&mut self, _: &str, quoted: &str) {
        self.0.extend_from_slice(quoted.as_bytes());
    }
}

/// The text as the content of a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    Quoted(&mut out).text(text);
    String::from_utf8(out).unwrap_or_default()
}

/// Writes runs that need no change as they are, and in between what `change` says. It may change ASCII only.
fn runs(text: &str, sink: &mut impl Sink, change: impl Fn(u8) -> Option<&'static str>) {
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(changed) = change(byte) {
            sink.text(&text[start..at]);
            sink.text(changed);
            start = at + 1;
        }
    }
    sink.text(&text[start..]);
}

fn write_html(value: &str, sink: &mut impl Sink) {
    runs(value, sink, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&#34;"),
        b'\'' => Some("&#39;"),
        // A page cannot hold it.
        0 => Some("\u{fffd}"),
        _ => None,
    });
}

/// Besides what JSON needs, what would end a script element if somebody puts the JSON into a page.
fn write_json(value: &str, sink: &mut impl Sink) {
    let mut start = 0;
    for (at, one) in value.char_indices() {
        let changed = match one {
            '"' => "\\\"",
            '\\' => "\\\\",
            '<' => "\\u003c",
            '>' => "\\u003e",
            '&' => "\\u0026",
            '\u{2028}' => "\\u2028",
            '\u{2029}' => "\\u2029",
            control if control < ' ' => CONTROLS[control as usize],
            _ => continue,
        };
        sink.text(&value[start..at]);
        sink.text(changed);
        start = at + one.len_utf8();
    }
    sink.text(&value[start..]);
}

fn write_query(value: &str, sink: &mut impl Sink) {
    const DIGITS: &str = "0123456789ABCDEF";
    let mut start = 0;
    for (at, byte) in value.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            continue;
        }
        // Both ends are beside a byte that is kept or changed as ASCII, or inside a character that is changed whole.
        sink.plain(value.get(start..at).unwrap_or(""));
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
        sink.plain("%");
        sink.plain(&DIGITS[high..=high]);
        sink.plain(&DIGITS[low..=low]);
        start = at + 1;
    }
    sink.plain(value.get(start..).unwrap_or(""));
}

const CONTROLS: [&str; 32] = [
    "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007", "\\u0008",
    "\\u0009", "\\u000a", "\\u000b", "\\u000c", "\\u000d", "\\u000e", "\\u000f", "\\u0010", "\\u0011",
    "\\u0012", "\\u0013", "\\u0014", "\\u0015", "\\u0016", "\\u0017", "\\u0018", "\\u0019", "\\u001a",
    "\\u001b", "\\u001c", "\\u001d", "\\u001e", "\\u001f",
];
