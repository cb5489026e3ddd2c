//! Counters of auctions: how many bid requests, why there was no bid, what became of bids.

use super::{Cell, Shard, family, line, sum};
use std::sync::Arc;

/// Why an impression or a whole request got no bid. The names are labels and the text of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBid {
    /// No bidding terms are in force.
    NotConfigured,
    /// The exchange waits for less time than the network takes.
    Time,
    /// Our seat is not asked.
    Seat,
    /// Neither a banner nor a native ad.
    Format,
    /// The tag is no placement of ours, and no placement has the size.
    UnknownSlot,
    /// Nothing is to be shown there to this visitor now.
    NoFill,
    /// The campaign has no price.
    NoPrice,
    /// No common currency, or a floor in one that we know no rate for.
    Currency,
    /// The price is below the floor.
    BelowFloor,
    /// The impression is sold under deals that the campaign is not part of.
    Deal,
    /// The advertiser's category is blocked, or nobody has said what it is.
    Category,
    /// The advertiser's domain is blocked.
    Advertiser,
    /// The creative is of a kind that is blocked.
    Attribute,
    /// The page is secure and something in the ad is not.
    Insecure,
    /// The ad lacks what the native layout requires.
    Asset,
}

impl NoBid {
    const ALL: [(NoBid, &'static str); 15] = [
        (NoBid::NotConfigured, "not_configured"),
        (NoBid::Time, "time"),
        (NoBid::Seat, "seat"),
        (NoBid::Format, "format"),
        (NoBid::UnknownSlot, "unknown_slot"),
        (NoBid::NoFill, "no_fill"),
        (NoBid::NoPrice, "no_price"),
        (NoBid::Currency, "currency"),
        (NoBid::BelowFloor, "below_floor"),
        (NoBid::Deal, "deal"),
        (NoBid::Category, "category"),
        (NoBid::Advertiser, "advertiser"),
        (NoBid::Attribute, "attribute"),
        (NoBid::Insecure, "insecure"),
        (NoBid::Asset, "asset"),
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        NoBid::ALL[self as usize].1
    }
}

/// What an exchange tells of a bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// It won; nothing is billed yet.
    Win,
    /// It was rendered and is billed: the impression.
    Billing,
    /// It lost.
    Loss,
}

const NOTICES: [&str; 3] = ["win", "billing", "loss"];

/// One worker's counts of auctions.
#[derive(Debug, Default)]
pub(super) struct Bidding {
    requests: [Cell; 2],
    bids: Cell,
    test_bids: Cell,
    no_bids: [Cell; NoBid::ALL.len()],
    notices: [Cell; NOTICES.len()],
}

impl Shard {
    /// Counts a bid request that was answered with `bids` bids.
    pub fn auction(&self, bids: usize, is_test: bool) {
        self.bidding.requests[usize::from(bids > 0)].add(1);
        let sum = if is_test { &self.bidding.test_bids } else { &self.bidding.bids };
        sum.add(bids as u64);
    }

    /// Counts an impression without a bid.
    pub fn no_bid(&self, reason: NoBid) {
        self.bidding.no_bids[reason as usize].add(1);
    }

    /// Counts a notice.
    pub fn notice(&self, notice: Notice) {
        self.bidding.notices[notice as usize].add(1);
    }
}

pub(super) fn render(shards: &[Arc<Shard>], out: &mut String) {
    family(out, "openrtb_requests_total", "counter", "Bid requests by answer.");
    for (index, result) in ["no_bid", "bid"].iter().enumerate() {
        let count = sum(shards, |shard| shard.bidding.requests[index].get());
        line(out, &format!("openrtb_requests_total{{result=\"{result}\"}}"), count);
    }
    family(out, "openrtb_bids_total", "counter", "Bids, those to test requests apart.");
    line(out, "openrtb_bids_total{test=\"false\"}", sum(shards, |shard| shard.bidding.bids.get()));
    line(out, "openrtb_bids_total{test=\"true\"}", sum(shards, |shard| shard.bidding.test_bids.get()));
    family(out, "openrtb_no_bid_total", "counter", "Impressions without a bid by reason.");
    for (index, (_, name)) in NoBid::ALL.iter().enumerate() {
        let count = sum(shards, |shard| shard.bidding.no_bids[index].get());
        line(out, &format!("openrtb_no_bid_total{{reason=\"{name}\"}}"), count);
    }
    family(out, "openrtb_notices_total", "counter", "What exchanges told of bids.");
    for (index, name) in NOTICES.iter().enumerate() {
        let count = sum(shards, |shard| shard.bidding.notices[index].get());
        line(out, &format!("openrtb_notices_total{{kind=\"{name}\"}}"), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_tables_match_their_enums() {
        for (index, (reason, name)) in NoBid::ALL.iter().enumerate() {
            assert_eq!((*reason as usize, reason.name()), (index, *name));
        }
        assert_eq!(NOTICES[Notice::Loss as usize], "loss");
        assert_eq!(NOTICES[Notice::Billing as usize], "billing");
    }
}
