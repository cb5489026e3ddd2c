//! The bid response, bid by bid.

use hyper::body::Bytes;
use tessera_wire::catalog::ContentKind;
use tessera_wire::event::TouchKind;
use tessera_wire::token::{Token, sign_into};

use super::super::ad_urls::AdUrls;
use super::super::answer::{Answer, append_hex, language_of};
use super::super::contents::Contents;
use super::super::context::Responder;
use super::super::counted::Clicks;
use super::super::decided::Shown;
use super::super::json::Json;
use super::super::touch::UNCOUNTED;
use super::banner;
use super::fit::{Conditions, Lot, Sale, domains};
use super::native::Links;
use super::notice::{Kind, counted_text};
use crate::bidding::MICROS;
use crate::counters::NoBid;
use crate::snapshot_cell::Live;

/// Seconds between auction and impression that we put up with, unless tokens expire earlier.
const EXPIRES_SECS_MAX: u32 = 3_600;
const MTYPE_BANNER: u8 = 1;
const MTYPE_NATIVE: u8 = 4;

/// An ad as it is offered for sale.
#[derive(Clone, Copy)]
pub(super) struct Offered<'a> {
    pub(super) answer: &'a Answer<'a>,
    pub(super) shown: &'a Shown<'a>,
    pub(super) live: &'a Live,
}

/// Writes a response; what surrounds the bids is written with the first of them.
pub(super) struct Writer<'w, 'a, 'o> {
    responder: &'w Responder,
    pub(super) conditions: &'w Conditions<'a>,
    currency: &'w str,
    decision_id: u128,
    now_ms: i64,
    has_bids: bool,
    json: Json<'o>,
}

impl<'w, 'a, 'o> Writer<'w, 'a, 'o> {
    pub(super) fn new(
        responder: &'w Responder,
        conditions: &'w Conditions<'a>,
        currency: &'w str,
        (decision_id, now_ms): (u128, i64),
        out: &'o mut Vec<u8>,
    ) -> Writer<'w, 'a, 'o> {
        let json = Json::new(out);
        Writer { responder, conditions, currency, decision_id, now_ms, has_bids: false, json }
    }

    pub(super) fn is_test(&self) -> bool {
        self.conditions.request.test.is_set()
    }

    /// Ends the response.
    pub(super) fn finish(mut self) {
        if self.has_bids {
            self.json.close(b']');
            self.json.close(b'}');
            self.json.close(b']');
            self.json.close(b'}');
        }
    }

    fn begin(&mut self) {
        let json = &mut self.json;
        json.open(b'{');
        json.field("id", &self.conditions.request.id.0);
        json.key("bidid");
        json.plain(|out| append_hex(self.decision_id, out));
        json.field("cur", self.currency);
        json.key("seatbid");
        json.open(b'[');
        json.open(b'{');
        json.field("seat", &self.conditions.terms.seat);
        json.key("bid");
        json.open(b'[');
        self.has_bids = true;
    }

    /// Writes one bid.
    pub(super) fn bid(&mut self, lot: &Lot<'_>, sale: &Sale<'_>, offered: &Offered<'_>) {
        let Offered { shown, live, .. } = *offered;
        if !self.has_bids {
            self.begin();
        }
        let catalog = self.conditions.catalog;
        let number = shown.served.ad;
        let creative = sale.ad.creative.map_or(sale.template.id, |id| catalog.creatives[id.index()].id);
        self.json.open(b'{');
        self.json.key("id");
        let decision_id = self.decision_id;
        self.json.plain(|out| {
            append_hex(decision_id, out);
            out.push(b'-');
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        });
        self.json.field("impid", &lot.imp.id.0);
        self.price(sale);
        self.json.field("adid", catalog.str(creative));
        self.json.field("cid", catalog.str(sale.campaign.id));
        self.creative_id(sale);
        self.facts(lot, sale);
        if !self.is_test() {
            self.notices(shown, live);
        }
        self.markup(lot, sale, offered);
        self.json.close(b'}');
    }

    fn price(&mut self, sale: &Sale<'_>) {
        let terms = self.conditions.terms;
        // A currency that is answered in has a rate.
        let micros = terms.in_currency(sale.price_micros, self.currency).unwrap_or(0);
        self.json.key("price");
        self.json.value(|out| append_micros(micros, out));
    }

    /// Exchanges scan creatives by this id: the same id is always the same assets.
    fn creative_id(&mut self, sale: &Sale<'_>) {
        let template = self.conditions.catalog.str(sale.template.id);
        let id = format!("{template}-{}", sale.ad.combination);
        self.json.field("crid", &id);
    }

    fn facts(&mut self, lot: &Lot<'_>, sale: &Sale<'_>) {
        let json = &mut self.json;
        let terms = sale.campaign_terms;
        json.key("adomain");
        json.open(b'[');
        domains(terms, sale.host).for_each(|domain| json.string(domain));
        json.close(b']');
        if !terms.cat.is_empty() {
            json.key("cat");
            json.open(b'[');
            terms.cat.iter().for_each(|category| json.string(category));
            json.close(b']');
        }
        if !terms.attr.is_empty() {
            json.key("attr");
            json.open(b'[');
            terms.attr.iter().for_each(|attr| json.value(|out| push_number(*attr, out)));
            json.close(b']');
        }
        if let Some(deal) = sale.deal {
            json.field("dealid", deal);
        }
        json.number_field("mtype", if lot.layout.is_some() { MTYPE_NATIVE } else { MTYPE_BANNER });
        if lot.layout.is_none() && sale.size.0 > 0 && sale.size.1 > 0 {
            json.number_field("w", sale.size.0);
            json.number_field("h", sale.size.1);
        }
        json.number_field("exp", self.responder.token_ttl_secs.min(EXPIRES_SECS_MAX));
    }

    fn notices(&mut self, shown: &Shown<'_>, live: &Live) {
        let counted = counted_text(self.responder, live, shown);
        for (field, kind, target) in
            [("nurl", Kind::Win, ""), ("burl", Kind::Billing, counted.as_str()), ("lurl", Kind::Loss, "")]
        {
            let url = self.notice_url(kind, shown.served.ad, target);
            self.json.field(field, &url);
        }
    }

    fn notice_url(&self, kind: Kind, ad: u16, counted: &str) -> String {
        let target = format!("{}{counted}", kind.mark());
        let token = self.token(TouchKind::Impression, ad, &target);
        format!("{}{}{token}?{}", self.responder.public_url, kind.path(), kind.macros())
    }

    fn token(&self, kind: TouchKind, ad: u16, target: &str) -> String {
        let expires = self.now_ms / 1_000 + i64::from(self.responder.token_ttl_secs);
        let expires_at_secs = u32::try_from(expires).unwrap_or(u32::MAX);
        let token = Token { kind, expires_at_secs, decision_id: self.decision_id, ad, target };
        let mut text = Vec::with_capacity(128);
        sign_into(&self.responder.keys.token, &token, &mut text);
        // Base64 is ASCII.
        String::from_utf8(text).unwrap_or_default()
    }

    /// A test's link goes straight to the page, so that nothing is counted.
    fn markup(&mut self, lot: &Lot<'_>, sale: &Sale<'_>, offered: &Offered<'_>) {
        let Offered { shown, live, .. } = *offered;
        let ad = shown.served.ad;
        let catalog = self.conditions.catalog;
        let landing = catalog.str(sale.campaign.landing_url);
        let public_url = &self.responder.public_url;
        let click = match self.is_test() {
            true => landing.to_owned(),
            false => {
                let clicks = Clicks { plan: live.plan(), subject: shown.counted_subject };
                let of = (self.decision_id, ad);
                let counted = clicks.target(self.responder, (catalog, shown.ad), of, landing);
                let target = counted.as_deref().unwrap_or(landing);
                format!("{public_url}/c/{}", self.token(TouchKind::Click, ad, target))
            }
        };
        let mut markup = String::with_capacity(1_024);
        match &lot.layout {
            None => match self.rendered(sale, offered, &click) {
                Some(rendered) => markup = rendered,
                None => banner::write(catalog, &sale.chosen, sale.size, &click, &mut markup),
            },
            Some(layout) => {
                let viewable = (!self.is_test())
                    .then(|| format!("{public_url}/e/{}", self.token(TouchKind::Viewable, ad, "")));
                let links = Links { click: &click, viewable: viewable.as_deref() };
                let mut bytes = Vec::with_capacity(1_024);
                layout.write(&self.conditions.material(sale), &links, &mut bytes);
                markup = String::from_utf8(bytes).unwrap_or_default();
            }
        }
        self.json.field("adm", &markup);
    }

    /// What the template itself is rendered to, if it has a piece of a page.
    fn rendered(&self, sale: &Sale<'_>, offered: &Offered<'_>, click: &str) -> Option<String> {
        let (catalog, answer) = (self.conditions.catalog, offered.answer);
        let contents = catalog.contents_of(sale.template);
        let place = contents.iter().position(|content| content.kind == ContentKind::Html)?;
        let number = offered.shown.served.ad;
        let language = language_of(catalog, sale.ad, answer.languages);
        let address = |kind, target| match self.is_test() {
            true => String::new(),
            false => format!("{}/e/{}", self.responder.public_url, self.token(kind, number, target)),
        };
        // The impression is the billing notice: a template's own pixel answers, and counts nothing.
        let impression = address(TouchKind::Impression, UNCOUNTED);
        let viewable = address(TouchKind::Viewable, "");
        let mut buffer = Vec::with_capacity(1_024);
        let urls = &AdUrls::given([&impression, &viewable, click, ""], &mut buffer);
        let contents = Contents { answer, ad: sale.ad, template: sale.template, language, urls, number };
        let mut out = Vec::with_capacity(1_024);
        let content = sale.template.contents.first as usize + place;
        offered.live.bundle().renderings().render(content, &contents, &mut out);
        String::from_utf8(out).ok()
    }
}

/// The body of a refusal, for exchanges that ask for one.
pub(crate) fn refusal(reason: NoBid) -> Bytes {
    /// OpenRTB's "unknown error": its list has no code for the reasons of a bidder.
    const NBR: u8 = 0;
    Bytes::from(format!(r#"{{"nbr":{NBR},"ext":{{"reason":"{}"}}}}"#, reason.name()))
}

fn push_number(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An amount as a decimal number, exactly.
fn append_micros(micros: i64, out: &mut Vec<u8>) {
    push_number(micros / MICROS, out);
    let fraction = micros % MICROS;
    if fraction > 0 {
        out.extend_from_slice(format!(".{fraction:06}").trim_end_matches('0').as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_decimals() {
        for (micros, text) in
            [(1_000_000, "1"), (2_500_000, "2.5"), (1, "0.000001"), (12_340_050, "12.34005"), (0, "0")]
        {
            let mut out = Vec::new();
            append_micros(micros, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
