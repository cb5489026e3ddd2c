//! May this ad be sold to this impression, and for how much?
//!
//! The decision has chosen ads for the visitor; here are the exchange's own conditions: currency, floor, deals, blocked
//! categories, advertisers and attributes, secure pages, what a native layout requires. What nobody has declared cannot
//! prove that it is not blocked: a campaign without categories is not offered where categories are restricted.

use smallvec::SmallVec;
use tessera_engine_core::decide::Ad;
use tessera_wire::catalog::{Asset, AssetKind, Campaign, Catalog, Template};

use super::super::answer::{chosen_assets, language_of};
use super::native::{Layout, Material};
use super::request::{BidRequest, Deal, Format, Imp};
use crate::bidding::{CampaignTerms, MICROS, Terms};
use crate::counters::NoBid;

/// AdCOM's creative type of a banner of markup, which is what we answer with.
const TYPE_MARKUP: i64 = 2;
/// The currency of a floor that names none.
const FLOOR_CURRENCY: &str = "USD";

/// One impression, as far as it can be bid for at all.
pub(super) struct Lot<'a> {
    pub(super) imp: &'a Imp<'a>,
    pub(super) slot: &'a str,
    pub(super) sizes: SmallVec<[(u32, u32); 4]>,
    /// The layout of a native ad; a banner has none.
    pub(super) layout: Option<Layout>,
}

/// An ad that may be sold.
pub(super) struct Sale<'a> {
    pub(super) ad: &'a Ad,
    /// Of a thousand impressions, in our currency.
    pub(super) price_micros: i64,
    pub(super) deal: Option<&'a str>,
    pub(super) template: &'a Template,
    pub(super) campaign: &'a Campaign,
    pub(super) campaign_terms: &'a CampaignTerms,
    /// Slots and what stands in them, in the ad's language.
    pub(super) chosen: SmallVec<[(&'a str, Asset); 8]>,
    pub(super) size: (u32, u32),
    /// Host of the landing page.
    pub(super) host: &'a str,
}

/// What all impressions of a request have in common.
pub(super) struct Conditions<'a> {
    pub(super) request: &'a BidRequest<'a>,
    pub(super) terms: &'a Terms,
    pub(super) catalog: &'a Catalog,
    pub(super) is_our_url_secure: bool,
}

impl<'a> Conditions<'a> {
    /// The currency to answer in.
    pub(super) fn currency(&self) -> Result<&'a str, NoBid> {
        let (ours, allowed) = (self.terms.currency.as_str(), &self.request.cur);
        if allowed.is_empty() || allowed.iter().any(|currency| currency.0 == ours) {
            return Ok(ours);
        }
        let has_rate = |currency: &&str| self.terms.in_currency(1, currency).is_some();
        allowed.iter().map(|currency| currency.0.as_ref()).find(has_rate).ok_or(NoBid::Currency)
    }

    /// Is our seat asked?
    pub(super) fn check_seat(&self) -> Result<(), NoBid> {
        let is_ours = |seat: &super::super::request::Str<'_>| seat.0 == self.terms.seat;
        let is_asked = self.request.wseat.is_empty() || self.request.wseat.iter().any(is_ours);
        if is_asked && !self.request.bseat.iter().any(is_ours) { Ok(()) } else { Err(NoBid::Seat) }
    }

    /// What we could put there, if anything.
    pub(super) fn lot(&self, imp: &'a Imp<'a>) -> Result<Lot<'a>, NoBid> {
        // A lot that takes both is answered with a banner.
        let layout = match (&imp.banner, &imp.native) {
            (Some(_), _) => None,
            (None, Some(native)) => Some(super::native::parse(&native.request.0).ok_or(NoBid::Format)?),
            (None, None) => return Err(NoBid::Format),
        };
        let sizes = self.sizes(imp);
        let slot = self.slot(imp, &sizes).ok_or(NoBid::UnknownSlot)?;
        Ok(Lot { imp, slot, sizes, layout })
    }

    fn sizes(&self, imp: &Imp<'_>) -> SmallVec<[(u32, u32); 4]> {
        let Some(banner) = &imp.banner else { return SmallVec::new() };
        let size = |(width, height): (Option<u32>, Option<u32>)| Some((width?, height?));
        let listed = banner.format.iter().filter_map(|Format { w, h }| size((*w, *h)));
        let mut sizes: SmallVec<[(u32, u32); 4]> =
            listed.take(crate::limits::FORMATS_PER_PLACEMENT_MAX).collect();
        if sizes.is_empty() {
            sizes.extend(size((banner.w, banner.h)));
        }
        sizes
    }

    /// The tag's placement; without one of that name, the first of a size that is asked for.
    fn slot(&self, imp: &'a Imp<'a>, sizes: &[(u32, u32)]) -> Option<&'a str> {
        let placements = &self.catalog.placements;
        let tagged = imp.tagid.as_ref().map(|tag| self.terms.slot(&tag.0));
        if let Some(slot) = tagged
            && placements.iter().any(|placement| self.catalog.str(placement.id) == slot)
        {
            return Some(slot);
        }
        let fits = |size: &(u32, u32)| {
            let placement =
                placements.iter().find(|placement| (placement.width, placement.height) == *size)?;
            Some(self.catalog.str(placement.id))
        };
        sizes.iter().filter(|size| size.0 > 0 && size.1 > 0).find_map(fits)
    }

    /// Checks one ad against one impression.
    pub(super) fn sale(&self, lot: &Lot<'a>, ad: &'a Ad, languages: &[&str]) -> Result<Sale<'a>, NoBid> {
        let template = &self.catalog.templates[ad.template.index()];
        let campaign = &self.catalog.campaigns[template.campaign.index()];
        let terms = self.terms.campaign(self.catalog.str(campaign.id));
        let host = host_of(self.catalog.str(campaign.landing_url));
        self.check_content(terms, host, lot)?;
        let chosen = self.worded(template, ad, languages);
        self.check_addresses(lot, &chosen, campaign)?;
        let price_micros = self.price(ad, terms)?;
        let deal = self.check_price(lot, terms, host, price_micros)?;
        let size = size_of(lot, template);
        let sale =
            Sale { ad, price_micros, deal, template, campaign, campaign_terms: terms, chosen, size, host };
        match &lot.layout {
            Some(layout) if !layout.is_filled_by(&self.material(&sale)) => Err(NoBid::Asset),
            _ => Ok(sale),
        }
    }

    /// The ad's assets as they read in its language.
    fn worded(&self, template: &'a Template, ad: &Ad, languages: &[&str]) -> SmallVec<[(&'a str, Asset); 8]> {
        let language = language_of(self.catalog, ad, languages);
        let worded = |(slot, asset): (&'a str, &Asset)| {
            let wording = language.wording(self.catalog, asset);
            (slot, Asset { content: wording.content, alt: wording.alt, ..*asset })
        };
        chosen_assets(self.catalog, template, ad.combination).map(worded).collect()
    }

    /// What a thousand impressions cost: the price of the flight that carries the ad, else that of the terms.
    fn price(&self, ad: &Ad, terms: &CampaignTerms) -> Result<i64, NoBid> {
        let flight = ad.flight.map_or(0, |flight| self.catalog.flights[flight.index()].cpm_micros);
        if flight <= 0 {
            return self.terms.price_micros(terms).ok_or(NoBid::NoPrice);
        }
        let currency = self.catalog.str(self.catalog.currency);
        if currency == self.terms.currency {
            return Ok(flight);
        }
        let price = self.terms.in_our_currency(flight as f64 / MICROS as f64, currency);
        price.ok_or(NoBid::Currency)
    }

    /// What of the ad can fill a native layout.
    pub(super) fn material<'s>(&'s self, sale: &'s Sale<'_>) -> Material<'s> {
        Material {
            catalog: self.catalog,
            chosen: &sale.chosen,
            advertiser: self.catalog.str(sale.campaign.advertiser),
            domain: sale.host,
        }
    }

    fn check_content(&self, terms: &CampaignTerms, host: &str, lot: &Lot<'_>) -> Result<(), NoBid> {
        let is_in = |list: &[super::super::request::Str<'_>], category: &String| {
            list.iter().any(|listed| covers(&listed.0, category))
        };
        let (blocked, allowed) = (&self.request.bcat, &self.request.acat);
        let is_undeclared = terms.cat.is_empty() && !(blocked.is_empty() && allowed.is_empty());
        let is_blocked = terms.cat.iter().any(|category| is_in(blocked, category));
        let is_left_out = !allowed.is_empty() && !terms.cat.iter().all(|category| is_in(allowed, category));
        if is_undeclared || is_blocked || is_left_out {
            return Err(NoBid::Category);
        }
        let is_domain_blocked =
            |domain: &str| self.request.badv.iter().any(|blocked| is_within(domain, &blocked.0));
        if domains(terms, host).any(is_domain_blocked) {
            return Err(NoBid::Advertiser);
        }
        let banner = lot.imp.banner.as_ref();
        let battr = match (&lot.layout, &lot.imp.native) {
            (Some(_), Some(native)) => &native.battr[..],
            _ => banner.map_or(&[][..], |banner| &banner.battr),
        };
        let is_type_blocked =
            lot.layout.is_none() && banner.is_some_and(|banner| banner.btype.contains(&TYPE_MARKUP));
        if is_type_blocked || terms.attr.iter().any(|attr| battr.contains(attr)) {
            return Err(NoBid::Attribute);
        }
        Ok(())
    }

    /// On a secure page everything must be; and what is no web address is nowhere put into markup.
    fn check_addresses(
        &self,
        lot: &Lot<'_>,
        chosen: &[(&str, Asset)],
        campaign: &Campaign,
    ) -> Result<(), NoBid> {
        let is_secure = lot.imp.secure.is_set();
        let images = chosen.iter().filter(|(_, asset)| asset.kind == AssetKind::Image);
        let mut addresses = images.map(|(_, asset)| self.catalog.str(asset.content));
        let is_fine = |url: &str| url.starts_with("https://") || (!is_secure && url.starts_with("http://"));
        let is_landing_fine = is_web(self.catalog.str(campaign.landing_url));
        let is_ours_fine = self.is_our_url_secure || !is_secure;
        if addresses.all(is_fine) && is_landing_fine && is_ours_fine { Ok(()) } else { Err(NoBid::Insecure) }
    }

    /// The deal it is sold under, if any.
    fn check_price(
        &self,
        lot: &Lot<'a>,
        terms: &CampaignTerms,
        host: &str,
        price_micros: i64,
    ) -> Result<Option<&'a str>, NoBid> {
        if let Some(pmp) = &lot.imp.pmp {
            let deal = pmp.deals.iter().find(|deal| self.takes(deal, terms, host, price_micros));
            match deal {
                Some(deal) => return Ok(Some(&deal.id.0)),
                None if pmp.private_auction.is_set() => return Err(NoBid::Deal),
                None => {}
            }
        }
        let currency = lot.imp.bidfloorcur.as_ref().map_or(FLOOR_CURRENCY, |currency| &currency.0);
        if self.floor(lot.imp.bidfloor, currency)? > price_micros {
            return Err(NoBid::BelowFloor);
        }
        Ok(None)
    }

    fn takes(&self, deal: &Deal<'_>, terms: &CampaignTerms, host: &str, price_micros: i64) -> bool {
        let currency = deal.bidfloorcur.as_ref().map_or(FLOOR_CURRENCY, |currency| &currency.0);
        let is_ours = terms.deals.iter().any(|id| *id == deal.id.0);
        let has_seat = deal.wseat.is_empty() || deal.wseat.iter().any(|seat| seat.0 == self.terms.seat);
        let is_invited = |domain: &str| deal.wadomain.iter().any(|invited| is_within(domain, &invited.0));
        let has_domain = deal.wadomain.is_empty() || domains(terms, host).any(is_invited);
        let reaches = |floor| floor <= price_micros;
        is_ours && has_seat && has_domain && self.floor(deal.bidfloor, currency).is_ok_and(reaches)
    }

    /// A floor in our currency; no floor is the same in every currency.
    fn floor(&self, floor: f64, currency: &str) -> Result<i64, NoBid> {
        if floor <= 0.0 {
            return Ok(0);
        }
        self.terms.in_our_currency(floor, currency).ok_or(NoBid::Currency)
    }
}

/// The advertiser's domains: as declared, else the landing page's.
pub(super) fn domains<'a>(terms: &'a CampaignTerms, host: &'a str) -> impl Iterator<Item = &'a str> {
    let landing = (terms.adomain.is_empty() && !host.is_empty()).then_some(host);
    terms.adomain.iter().map(String::as_str).chain(landing)
}

/// Does a listed category stand for this one: itself, or the tier above it (`IAB7` for `IAB7-39`)?
fn covers(listed: &str, category: &str) -> bool {
    category.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Is `domain` the listed one or below it?
fn is_within(domain: &str, listed: &str) -> bool {
    let listed = listed.trim_start_matches("www.");
    let cut = domain.len().wrapping_sub(listed.len());
    let ends = domain.get(cut..).is_some_and(|end| end.eq_ignore_ascii_case(listed));
    ends && !listed.is_empty() && (cut == 0 || domain.as_bytes()[cut - 1] == b'.')
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?', '#']).next();
    let host = authority.unwrap_or("").rsplit('@').next().unwrap_or("").split(':').next().unwrap_or("");
    host.strip_prefix("www.").unwrap_or(host)
}

/// The size of what is shown: the template's own, or the first asked for that it adapts to.
fn size_of(lot: &Lot<'_>, template: &Template) -> (u32, u32) {
    let (width, height) = (template.width, template.height);
    let adapts = |size: &&(u32, u32)| (width == 0 || width == size.0) && (height == 0 || height == size.1);
    lot.sizes.iter().find(adapts).copied().unwrap_or((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_cover_the_tier_below() {
        assert!(covers("IAB7", "IAB7-39") && covers("IAB7-39", "IAB7-39"));
        assert!(!covers("IAB7", "IAB70") && !covers("IAB7-39", "IAB7") && !covers("IAB7-3", "IAB7-39"));
    }

    #[test]
    fn domains_cover_what_is_below_them() {
        assert!(
            is_within("fernweh.example", "fernweh.example")
                && is_within("a.FERNWEH.example", "fernweh.example")
        );
        assert!(is_within("fernweh.example", "www.fernweh.example"));
        for other in ["notfernweh.example", "example", "", "fernweh.example.org"] {
            assert!(!is_within(other, "fernweh.example"), "{other}");
        }
        assert!(!is_within("fernweh.example", "") && !is_within("é", "x"));
    }

    #[test]
    fn hosts_are_what_stands_between_scheme_and_path() {
        assert_eq!(host_of("https://www.fernweh.example:8443/a?b"), "fernweh.example");
        assert_eq!(host_of("https://user@fernweh.example"), "fernweh.example");
        assert_eq!(host_of("no address"), "");
    }
}
