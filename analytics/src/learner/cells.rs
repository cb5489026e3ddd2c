//! One template's sufficient statistics in the numbering of its present shape.
//!
//! Guarantees: statistics are keyed by name, so a bundle that re-orders assets or labels changes nothing; cells whose
//! assets and labels all still exist survive a change of shape, and a context from before a field existed has that field's
//! unknown level. Statistics add up: the cells of two engines are the sum of theirs.
//!
//! Cost: one look-up per changed cell; two bytes per feature and cell.

use ahash::AHashMap;
use tessera_wire::limits::{CONTEXT_FIELDS_MAX, SLOTS_PER_TEMPLATE_MAX};
use tessera_wire::posterior::Layout;

use crate::limits;
use crate::names::{NameId, NameList, TemplateShape};

/// Impressions and clicks of one (context, combination), possibly faded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Trial {
    /// Impressions.
    pub impressions: f64,
    /// Clicks.
    pub clicks: f64,
}

/// A cell's place: values of the context fields, and the combination number.
pub type Place = ([u8; CONTEXT_FIELDS_MAX], u32);

/// All cells of a template.
#[derive(Debug)]
pub struct Cells {
    layout: Layout,
    assets: AHashMap<NameId, (usize, usize)>,
    labels: AHashMap<NameId, (usize, u8)>,
    index: AHashMap<Place, u32>,
    places: Vec<Place>,
    trials: Vec<Trial>,
    features: Vec<u16>,
    refused: u64,
}

impl Cells {
    /// No cells of a template of this shape; `None` when its model would be too large to learn.
    pub fn new(shape: &TemplateShape) -> Option<Cells> {
        let slots: Vec<usize> = shape.slots.iter().map(Vec::len).collect();
        let fields: Vec<usize> = shape.fields.iter().map(Vec::len).collect();
        let fits = !slots.is_empty()
            && slots.len() <= SLOTS_PER_TEMPLATE_MAX
            && fields.len() <= CONTEXT_FIELDS_MAX
            && !slots.contains(&0)
            && !fields.contains(&0)
            && slots.iter().chain(&fields).all(|size| *size <= limits::WEIGHTS_MAX);
        let layout = fits.then(|| Layout::new(&slots, &fields))?;
        if layout.len > limits::WEIGHTS_MAX {
            return None;
        }
        let mut assets = AHashMap::new();
        for (slot, names) in shape.slots.iter().enumerate() {
            assets.extend(names.iter().enumerate().map(|(item, name)| (*name, (slot, item))));
        }
        let mut labels = AHashMap::new();
        for (field, names) in shape.fields.iter().enumerate() {
            labels.extend(names.iter().enumerate().map(|(value, name)| (*name, (field, value as u8))));
        }
        Some(Cells {
            layout,
            assets,
            labels,
            index: AHashMap::new(),
            places: Vec::new(),
            trials: Vec::new(),
            features: Vec::new(),
            refused: 0,
        })
    }

    /// Where each weight stands.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Number of features of a cell.
    pub fn stride(&self) -> usize {
        let (slots, fields) = (self.layout.slots.len(), self.layout.fields.len());
        1 + slots + slots * (slots - 1) / 2 + fields + fields * slots
    }

    /// Where the cells stand, in order of appearance.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The cells' statistics, in the order of [`Cells::places`].
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The cells' features, [`Cells::stride`] ascending weight indices each.
    pub fn features(&self) -> &[u16] {
        &self.features
    }

    /// Additions that found no room.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Adds to a cell; false when its names are not all part of this shape or there is no room.
    pub fn add_named(&mut self, context: &NameList, combination: &NameList, trial: Trial) -> bool {
        match (self.context(context), self.combination(combination)) {
            (Some(context), Some(combination)) => self.add((context, combination), trial),
            _ => false,
        }
    }

    /// Adds to a cell by place; false when there is no room.
    pub fn add(&mut self, place: Place, trial: Trial) -> bool {
        let at = match self.index.get(&place) {
            Some(at) => *at as usize,
            None if self.trials.len() >= limits::CELLS_PER_TEMPLATE_MAX => {
                self.refused += 1;
                return false;
            }
            None => self.insert(place),
        };
        self.trials[at].impressions += trial.impressions;
        self.trials[at].clicks += trial.clicks;
        true
    }

    /// Adds all statistics of another engine's cells of the same shape: the sum of the parts is the whole. False, and
    /// nothing is added, when the shapes differ.
    pub fn merge(&mut self, other: &Cells) -> bool {
        let is_same =
            self.layout == other.layout && self.assets == other.assets && self.labels == other.labels;
        if is_same {
            for (place, trial) in other.places.iter().zip(&other.trials) {
                self.add(*place, *trial);
            }
            self.refused += other.refused;
        }
        is_same
    }

    /// Weights that stand for the same names here and there: (here, there), without the intercept.
    pub fn shared_weights(&self, there: &Cells) -> Vec<(usize, usize)> {
        let mut assets: Vec<((usize, usize), (usize, usize))> = Vec::new();
        for (name, here) in &self.assets {
            assets.extend(there.assets.get(name).map(|other| (*here, *other)));
        }
        let mut labels: Vec<((usize, u8), (usize, u8))> = Vec::new();
        for (name, here) in &self.labels {
            labels.extend(there.labels.get(name).map(|other| (*here, *other)));
        }
        let asset = |layout: &Layout, (slot, item): (usize, usize)| layout.slot_start[slot] + item;
        let value =
            |layout: &Layout, (field, value): (usize, u8)| layout.field_start[field] + usize::from(value);
        let (ours, theirs) = (&self.layout, &there.layout);
        let mut shared = Vec::new();
        for (here, other) in &assets {
            shared.push((ours.asset(asset(ours, *here)), theirs.asset(asset(theirs, *other))));
        }
        for (number, (left, left_there)) in assets.iter().enumerate() {
            for (right, right_there) in &assets[..number] {
                shared.extend(pair(ours, *left, *right).zip(pair(theirs, *left_there, *right_there)));
            }
        }
        for (here, other) in &labels {
            let (here, other) = (value(ours, *here), value(theirs, *other));
            shared.push((ours.context(here), theirs.context(other)));
            for (asset_here, asset_there) in &assets {
                let cross = ours.cross(here) + asset(ours, *asset_here);
                shared.push((cross, theirs.cross(other) + asset(theirs, *asset_there)));
            }
        }
        shared.sort_unstable();
        shared
    }

    /// Multiplies all statistics.
    pub fn fade(&mut self, factor: f64) {
        for trial in &mut self.trials {
            trial.impressions *= factor;
            trial.clicks *= factor;
        }
    }

    fn insert(&mut self, place: Place) -> usize {
        let at = self.trials.len();
        self.index.insert(place, at as u32);
        self.places.push(place);
        self.trials.push(Trial::default());
        push_features(&self.layout, place, &mut self.features);
        at
    }

    fn context(&self, names: &NameList) -> Option<[u8; CONTEXT_FIELDS_MAX]> {
        let mut context = [0; CONTEXT_FIELDS_MAX];
        for name in names.ids() {
            let (field, value) = *self.labels.get(name)?;
            context[field] = value;
        }
        Some(context)
    }

    fn combination(&self, names: &NameList) -> Option<u32> {
        let slots = self.layout.slots.len();
        let mut choice = [None; SLOTS_PER_TEMPLATE_MAX];
        for name in names.ids() {
            let (slot, item) = *self.assets.get(name)?;
            choice[slot] = Some(item);
        }
        let mut combination = 0;
        for (item, size) in choice[..slots].iter().zip(&self.layout.slots) {
            combination = combination * size + (*item)?;
        }
        u32::try_from(combination).ok()
    }
}

/// The weight of two assets together; none when one slot holds both.
fn pair(layout: &Layout, one: (usize, usize), other: (usize, usize)) -> Option<usize> {
    let (left, right) = if one.0 < other.0 { (one, other) } else { (other, one) };
    (left.0 != right.0).then(|| layout.pair(left.0, right.0, left.1, right.1))
}

/// Appends the weight indices that are active at a place, ascending.
fn push_features(layout: &Layout, (context, combination): Place, out: &mut Vec<u16>) {
    let slots = layout.slots.len();
    let mut choice = [0usize; SLOTS_PER_TEMPLATE_MAX];
    layout.unpack(combination as usize, &mut choice);
    let mut push = |weight: usize| out.push(weight as u16);
    push(0);
    for (slot, item) in choice[..slots].iter().enumerate() {
        push(layout.asset(layout.slot_start[slot] + item));
    }
    for left in 0..slots {
        for right in left + 1..slots {
            push(layout.pair(left, right, choice[left], choice[right]));
        }
    }
    let values = || (0..layout.fields.len()).map(|field| layout.field_start[field] + context[field] as usize);
    values().for_each(|value| push(layout.context(value)));
    for value in values() {
        for (slot, item) in choice[..slots].iter().enumerate() {
            push(layout.cross(value) + layout.slot_start[slot] + item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;
    use proptest::prelude::*;
    use tessera_wire::event::TemplateNames;

    fn shape(names: &mut Names, images: &[&str], segments: &[&str], has_device: bool) -> TemplateShape {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut fields = vec![("segment".to_owned(), texts(segments))];
        if has_device {
            fields.insert(0, ("device".to_owned(), texts(&["?", "mobile"])));
        }
        let slots = vec![("image".to_owned(), texts(images)), ("cta".to_owned(), texts(&["x", "y"]))];
        TemplateShape::new(&TemplateNames { id: "t".into(), campaign: 0, slots, fields }, names)
    }

    #[test]
    fn reordered_names_keep_their_statistics() {
        let mut names = Names::default();
        let old = shape(&mut names, &["a", "b", "c"], &["?", "sport", "food"], false);
        let new = shape(&mut names, &["c", "a", "b"], &["?", "food", "sport"], true);
        let mut cells = Cells::new(&new).unwrap();
        let one = Trial { impressions: 1.0, clicks: 0.0 };
        // context sport, combination (a, y): old numbers 1 and 0 * 2 + 1; new ones (0, 2) and 1 * 2 + 1.
        let context = old.context(&[1, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert!(cells.add_named(&context, &old.combination(1).unwrap(), one));
        assert_eq!(cells.places(), [([0, 2, 0, 0, 0, 0, 0, 0], 3)]);
    }

    #[test]
    fn cells_with_a_vanished_name_are_left_out() {
        let mut names = Names::default();
        let old = shape(&mut names, &["a", "b"], &["?", "sport"], false);
        let new = shape(&mut names, &["b"], &["?"], false);
        let mut cells = Cells::new(&new).unwrap();
        let one = Trial { impressions: 1.0, clicks: 1.0 };
        let (unknown, sport) =
            (old.context(&[0; 8]).unwrap(), old.context(&[1, 0, 0, 0, 0, 0, 0, 0]).unwrap());
        assert!(!cells.add_named(&unknown, &old.combination(0).unwrap(), one));
        assert!(!cells.add_named(&sport, &old.combination(2).unwrap(), one));
        assert!(cells.add_named(&unknown, &old.combination(2).unwrap(), one));
        assert_eq!(cells.trials(), [one]);
    }

    #[test]
    fn shared_weights_are_those_of_equal_names() {
        let mut names = Names::default();
        let old = Cells::new(&shape(&mut names, &["a", "b", "c"], &["?", "sport", "food"], false)).unwrap();
        let new = Cells::new(&shape(&mut names, &["c", "z", "a"], &["?", "food"], true)).unwrap();
        let shared = new.shared_weights(&old);
        // Images a and c and both calls to action; their pairs; unknown and food; four assets in each of the two.
        assert_eq!(shared.len(), 4 + 2 * 2 + 2 + 2 * 4);
        let (here, there) = (new.layout(), old.layout());
        let food = (here.field_start[1] + 1, there.field_start[0] + 2);
        for wanted in [
            (here.asset(0), there.asset(2)),
            (here.pair(0, 1, 2, 1), there.pair(0, 1, 0, 1)),
            (here.context(food.0), there.context(food.1)),
            (here.cross(food.0) + 2, there.cross(food.1)),
        ] {
            assert!(shared.contains(&wanted), "{wanted:?}");
        }
        let own: Vec<usize> = (1..there.len).collect();
        assert_eq!(old.shared_weights(&old), own.iter().map(|w| (*w, *w)).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn merged_cells_are_those_of_one_engine_that_saw_everything(
            events in prop::collection::vec((0u8..3, 0u32..6, any::<bool>(), any::<bool>()), 0..80),
        ) {
            let mut names = Names::default();
            let shape = shape(&mut names, &["a", "b", "c"], &["?", "sport", "food"], false);
            let mut whole = Cells::new(&shape).unwrap();
            let mut parts = [Cells::new(&shape).unwrap(), Cells::new(&shape).unwrap()];
            for (value, combination, is_click, engine) in events {
                let trial = Trial { impressions: 1.0, clicks: f64::from(u8::from(is_click)) };
                let place = ([value, 0, 0, 0, 0, 0, 0, 0], combination);
                whole.add(place, trial);
                parts[usize::from(engine)].add(place, trial);
            }
            let [mut sum, other] = parts;
            prop_assert!(sum.merge(&other));
            let sorted = |cells: &Cells| {
                let mut all: Vec<_> = cells.places.iter().zip(&cells.trials).map(|(p, t)| (*p, t.impressions, t.clicks)).collect();
                all.sort_by_key(|(place, _, _)| *place);
                all
            };
            prop_assert_eq!(sorted(&sum), sorted(&whole));
        }
    }

    #[test]
    fn cells_of_another_shape_are_not_merged() {
        let mut names = Names::default();
        let mut ours = Cells::new(&shape(&mut names, &["a", "b"], &["?", "sport"], false)).unwrap();
        let mut others = Cells::new(&shape(&mut names, &["b", "a"], &["?", "sport"], false)).unwrap();
        others.add(([0; 8], 1), Trial { impressions: 1.0, clicks: 0.0 });
        assert!(!ours.merge(&others));
        assert!(ours.trials().is_empty());
    }

    #[test]
    fn features_are_ascending_and_as_many_as_the_stride() {
        let mut out = Vec::new();
        let layout = Layout::new(&[5, 10, 5], &[8, 3, 4, 6]);
        push_features(&layout, ([7, 2, 3, 5, 0, 0, 0, 0], 249), &mut out);
        assert_eq!(out.len(), 23);
        assert!(out.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(usize::from(out[22]), layout.len - 1);
    }
}
