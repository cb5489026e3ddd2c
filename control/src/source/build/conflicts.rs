//! What keeps campaigns apart in one answer, and what callers filter by.

use tessera_wire::catalog::Text;
use tessera_wire::limits::GROUPS_PER_CAMPAIGN_MAX;
use tessera_wire::program::Span;

use super::Builder;
use crate::source::problem::{CatalogCode, Problem};
use crate::source::schema::{Name, RawCampaign};
use crate::source::value;

impl Builder<'_> {
    pub(super) fn add_groups(&mut self, raw: &RawCampaign) -> Span {
        self.check_list("exclusion group", &raw.id, &raw.exclusion_groups);
        let mut numbers: Vec<u16> = raw.exclusion_groups.iter().map(|name| self.group(name)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let first = self.catalog.groups.len() as u32;
        self.catalog.groups.extend(&numbers);
        Span { first, len: numbers.len() as u32 }
    }

    fn group(&mut self, name: &Name) -> u16 {
        if let Some(number) = self.groups.iter().position(|known| known == name.get_ref()) {
            return number as u16;
        }
        if self.groups.len() > usize::from(u16::MAX) {
            let message = format!("there are more than {} exclusion groups", u16::MAX);
            self.problem(Problem::catalog(CatalogCode::TooMany, name.span(), message));
            return 0;
        }
        self.groups.push(name.get_ref().clone());
        (self.groups.len() - 1) as u16
    }

    pub(super) fn add_categories(&mut self, raw: &RawCampaign) -> Span {
        self.check_list("category", &raw.id, &raw.categories);
        let first = self.catalog.categories.len() as u32;
        for category in &raw.categories {
            let text = self.text(category.get_ref());
            self.catalog.categories.push(text);
        }
        Span { first, len: raw.categories.len() as u32 }
    }

    pub(super) fn add_domain(&mut self, raw: &RawCampaign) -> Text {
        let Some(domain) = &raw.advertiser_domain else { return Text::default() };
        self.read(domain, value::domain);
        self.text(domain.get_ref())
    }

    pub(super) fn ads_per_answer_max(&mut self, raw: &RawCampaign) -> u16 {
        let Some(most) = &raw.at_most_per_answer else { return 0 };
        if *most.get_ref() == 0 {
            let message = "a campaign that is in no answer is switched off";
            let problem = Problem::catalog(CatalogCode::BadValue, most.span(), message);
            self.problem(problem.help("write a number from 1, or active = false"));
        }
        *most.get_ref()
    }

    fn check_list(&mut self, what: &str, id: &Name, names: &[Name]) {
        if names.len() > GROUPS_PER_CAMPAIGN_MAX {
            let message = format!("campaign `{}` names {} times an {what}", id.get_ref(), names.len());
            let problem = Problem::catalog(CatalogCode::TooMany, id.span(), message);
            self.problem(problem.help(format!("at most {GROUPS_PER_CAMPAIGN_MAX} are allowed")));
        }
        for name in names.iter().filter(|name| name.get_ref().is_empty()) {
            let message = format!("an {what} needs a name");
            self.problem(Problem::catalog(CatalogCode::BadValue, name.span(), message));
        }
    }
}
