//! Books under many hands: nothing is ever spent that was not there, and nothing is lost in between.

use std::sync::atomic::AtomicI64;

use tessera_engine_core::decide::Ad;
use tessera_engine_core::model::Context;
use tessera_wire::catalog::{
    Budget, BudgetUnit, Campaign, CampaignId, FlightId, Hold, Pacing, PlacementId, Template, TemplateId, Text,
};
use tessera_wire::event::{Arm, Tier};
use tessera_wire::program::Span;

use super::*;
use crate::budget::WorkerFunds;

const NOW_MS: i64 = 1_795_176_000_000;
const DAY_MS: i64 = 86_400_000;
const WORKERS: usize = 4;

/// One campaign with one flight at 2 EUR per thousand, limited as told.
fn catalog(unit: BudgetUnit, (total, daily): (i64, i64), pacing: Pacing) -> Catalog {
    let text = "flight/f/x".to_owned();
    let id = Text { start: 0, len: text.len() as u32 };
    let (start_ms, end_ms, zone) = (NOW_MS - DAY_MS, NOW_MS + 9 * DAY_MS, Text::default());
    let budget = Budget { id, unit, total, daily, pacing, start_ms, end_ms, zone };
    let one = Span { first: 0, len: 1 };
    let flight = tessera_wire::catalog::Flight {
        id,
        start_ms,
        end_ms,
        caps: Span::default(),
        budgets: one,
        cpm_micros: 2_000_000,
        dayparts: Span::default(),
        clock: tessera_wire::program::SignalId(0),
        class: Default::default(),
        priority: 0,
        weight: 0,
    };
    let campaign = Campaign {
        max_discount: 0,
        min_margin: None,
        default_offer: None,
        hold: Hold::No,
        id,
        advertiser: Text::default(),
        landing_url: Text::default(),
        flights: one,
        is_active: true,
        holdout_ppm: 0,
        holdout_salt: Text::default(),
        control: None,
        experiments: Span::default(),
        caps: Span::default(),
        budgets: Span::default(),
        groups: Span::default(),
        categories: Span::default(),
        domain: Text::default(),
        ads_per_answer_max: 0,
    };
    let template = Template {
        contents: Span::default(),
        id,
        campaign: CampaignId(0),
        width: 0,
        height: 0,
        slots: Span::default(),
        combinations: 1,
        fields: Span::default(),
        exploration_ppm: 0,
        exclusions: Span::default(),
        caps: Span::default(),
    };
    let (campaigns, flights, templates) = (vec![campaign], vec![flight], vec![template]);
    Catalog { text, campaigns, flights, templates, budgets: vec![budget], ..Catalog::default() }
}

fn ad() -> Ad {
    Ad {
        offer_at_ms: 0,
        placement: PlacementId(0),
        template: TemplateId(0),
        flight: Some(FlightId(0)),
        combination: 0,
        creative: None,
        offer: None,
        rule: None,
        action: None,
        choices: Default::default(),
        exposure: None,
        priority: 0,
        arm: Arm::Fixed,
        tier: Tier::Contextual,
        propensity: 1.0,
        share: 1.0,
        context: Context::default(),
    }
}

/// Shows as many ads as a worker's hands pay for, up to so many.
fn spend(funds: &mut WorkerFunds, table: &Arc<Table>, catalog: &Catalog, wanted: usize) -> i64 {
    let cost = if catalog.budgets[0].unit == BudgetUnit::Ads { 1 } else { 2_000_000 };
    let mut shown = 0;
    for _ in 0..wanted {
        funds.refresh(table);
        if funds.all()[0].available >= cost && funds.all()[0].entry_ppm > 0 {
            funds.charge(catalog, &ad());
            shown += 1;
        }
    }
    shown
}

fn books(directory: &Path) -> Books {
    Books::open(directory, WORKERS, 1_000_000).unwrap()
}

#[test]
fn many_workers_spend_a_budget_to_the_end_and_never_more() {
    // 10,000 ads either way: in euros at 2 EUR per thousand, or counted.
    for (unit, total) in [(BudgetUnit::Money, 20_000_000), (BudgetUnit::Ads, 10_000)] {
        let directory = tempfile::tempdir().unwrap();
        let catalog = catalog(unit, (total, 0), Pacing::Asap);
        let books = books(directory.path());
        let table = books.prepare(&catalog, NOW_MS);
        let (shown, is_done) = (AtomicI64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut funds = WorkerFunds::default();
                        while !is_done.load(Ordering::Acquire) {
                            shown.fetch_add(spend(&mut funds, &table, &catalog, 1), Ordering::Relaxed);
                            std::thread::yield_now();
                        }
                    })
                })
                .collect();
            // Bounded, so that a test that fails also ends; and a little longer than needed, to see that it is the end.
            let mut more = 100;
            for _ in 0..1_000_000 {
                more -= i32::from(shown.load(Ordering::Relaxed) >= 10_000);
                if more == 0 {
                    break;
                }
                books.look(NOW_MS);
                std::thread::yield_now();
            }
            is_done.store(true, Ordering::Release);
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        });
        let shown = shown.load(Ordering::Relaxed);
        assert_eq!(shown, 10_000, "{unit:?}");
        books.settle();
        let written = BudgetFile::open(directory.path()).unwrap().read().unwrap();
        let cost = if unit == BudgetUnit::Money { 2_000_000 } else { 1 };
        assert_eq!(written["flight/f/x"].total, shown * cost, "after an orderly stop the books are exact");
    }
}

#[test]
fn a_crash_costs_at_most_the_open_lease_and_never_allows_more() {
    let directory = tempfile::tempdir().unwrap();
    let (total, lease) = (1_000, 1_000 / 20);
    let catalog = catalog(BudgetUnit::Ads, (total, 0), Pacing::Asap);
    let mut shown = 0;
    let mut crashes = 0;
    loop {
        let books = books(directory.path());
        let table = books.prepare(&catalog, NOW_MS);
        let mut funds = WorkerFunds::default();
        let mut in_life = 0;
        for _ in 0..4 {
            in_life += spend(&mut funds, &table, &catalog, 37);
            books.look(NOW_MS);
        }
        shown += in_life;
        // As if killed: nothing is given back and nothing is settled.
        std::mem::forget(funds);
        if in_life == 0 {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 3, "{crashes}");
    assert!((total - crashes * lease..=total).contains(&shown), "{shown} after {crashes} crashes");
}

#[test]
fn each_day_has_its_own_budget_and_the_total_stays() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = catalog(BudgetUnit::Ads, (250, 100), Pacing::Asap);
    let books = books(directory.path());
    let table = books.prepare(&catalog, NOW_MS);
    let mut funds = WorkerFunds::default();
    let mut days = Vec::new();
    for day in 0..4 {
        let mut shown = 0;
        for _ in 0..200 {
            books.look(NOW_MS + day * DAY_MS);
            shown += spend(&mut funds, &table, &catalog, 5);
        }
        days.push(shown);
    }
    assert_eq!(days, [100, 100, 50, 0]);
}

#[test]
fn engines_with_shares_spend_the_budget_together() {
    let catalog = catalog(BudgetUnit::Ads, (1_000, 0), Pacing::Asap);
    let shown = [300_000, 700_000].map(|share_ppm| {
        let directory = tempfile::tempdir().unwrap();
        let books = Books::open(directory.path(), 1, share_ppm).unwrap();
        let table = books.prepare(&catalog, NOW_MS);
        let mut funds = WorkerFunds::default();
        (0..200)
            .map(|_| {
                books.look(NOW_MS);
                spend(&mut funds, &table, &catalog, 20)
            })
            .sum::<i64>()
    });
    assert_eq!(shown, [300, 700]);
}

#[test]
fn a_new_bundle_goes_on_with_what_the_old_one_spent() {
    let directory = tempfile::tempdir().unwrap();
    let books = books(directory.path());
    let mut funds = WorkerFunds::default();
    let mut shown = 0;
    for total in [500, 800, 100] {
        let catalog = catalog(BudgetUnit::Ads, (total, 0), Pacing::Asap);
        let table = books.prepare(&catalog, NOW_MS);
        for _ in 0..200 {
            books.look(NOW_MS);
            shown += spend(&mut funds, &table, &catalog, 20);
        }
    }
    assert_eq!(shown, 800, "the lower budget of the last bundle was spent already");
}

#[test]
fn books_that_cannot_be_read_or_written_stop_what_they_limit() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = catalog(BudgetUnit::Ads, (1_000, 0), Pacing::Asap);
    std::fs::write(directory.path().join("budgets.tsv"), "tessera budgets 1\n00000000\n").unwrap();
    let books = books(directory.path());
    let table = books.prepare(&catalog, NOW_MS);
    assert_eq!(spend(&mut WorkerFunds::default(), &table, &catalog, 100), 0);
    std::fs::remove_file(directory.path().join("budgets.tsv")).unwrap();
    // A directory in the way of the file: writing fails.
    std::fs::create_dir_all(directory.path().join("budgets.tsv/x")).unwrap();
    let text = |books: &Books| {
        let mut out = String::new();
        books.render(&mut out);
        out
    };
    assert!(text(&books).contains("budgets_unreadable 1"));
    std::fs::remove_dir_all(directory.path().join("budgets.tsv")).unwrap();
    let books = self::books(directory.path());
    std::fs::create_dir_all(directory.path().join("budgets.new/x")).unwrap();
    let table = books.prepare(&catalog, NOW_MS);
    assert_eq!(spend(&mut WorkerFunds::default(), &table, &catalog, 100), 0);
    assert!(text(&books).contains("budget_lease_total{result=\"not_written\"} 1"), "{}", text(&books));
}

#[test]
fn a_paced_budget_lets_in_what_its_plan_allows() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = catalog(BudgetUnit::Ads, (1_000_000, 0), Pacing::Even);
    let books = books(directory.path());
    let table = books.prepare(&catalog, NOW_MS);
    let mut funds = WorkerFunds::default();
    funds.refresh(&table);
    // A tenth of the time has passed and nothing was spent: everybody may.
    assert_eq!(funds.all()[0].entry_ppm, 1_000_000);
    // Before its time nobody may.
    books.look(NOW_MS - 2 * DAY_MS);
    funds.refresh(&table);
    assert_eq!(funds.all()[0].entry_ppm, 0);
}
