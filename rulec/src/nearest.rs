//! The nearest known name, for "did you mean".
//!
//! Distance is optimal string alignment: insertions, deletions, replacements and swaps of neighbours, each counted once.
//! Cost: the product of the lengths per candidate; names above [`NAME_CHARS_MAX`] are not compared at all.

/// Longer names are never typos of one another in a way worth explaining.
const NAME_CHARS_MAX: usize = 64;

/// The candidate closest to `name`, if one is close enough to be a typo of it: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    if length > NAME_CHARS_MAX {
        return None;
    }
    // Among one or two letters everything is a neighbour of everything: only another case is a typo.
    let allowed = if length < 3 { 0 } else { length / 3 };
    let name = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.chars().count().abs_diff(length) > allowed {
            continue;
        }
        let distance = distance(&name, &candidate.to_lowercase());
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut current = vec![row; right.len() + 1];
        for column in 1..=right.len() {
            let is_same = left[row - 1] == right[column - 1];
            let replaced = last[column - 1] + usize::from(!is_same);
            current[column] = replaced.min(last[column] + 1).min(current[column - 1] + 1);
            let is_swap = row > 1
                && column > 1
                && left[row - 1] == right[column - 2]
                && left[row - 2] == right[column - 1];
            if is_swap {
                current[column] = current[column].min(before_last[column - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_near_and_strangers_are_not() {
        let words = ["mobile", "desktop", "tablet", "tv"];
        assert_eq!(nearest("moblie", words), Some("mobile"));
        assert_eq!(nearest("Desktop", words), Some("desktop"));
        assert_eq!(nearest("tabet", words), Some("tablet"));
        assert_eq!(nearest("fridge", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest("TV", words), Some("tv"));
        assert_eq!(nearest("tx", words), None);
        assert_eq!(nearest("wen", ["when", "then"]), Some("when"));
    }

    #[test]
    fn distances_count_swaps_once() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
