//! Sets of whole numbers as sorted, disjoint, inclusive ranges.

/// What lies in both.
pub(crate) fn intersection(left: &[(i64, i64)], right: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (mut both, mut at, mut other) = (Vec::new(), 0, 0);
    while let (Some(one), Some(two)) = (left.get(at), right.get(other)) {
        let (low, high) = (one.0.max(two.0), one.1.min(two.1));
        if low <= high {
            both.push((low, high));
        }
        if one.1 < two.1 {
            at += 1;
        } else {
            other += 1;
        }
    }
    both
}

/// Everything else.
pub(crate) fn complement(ranges: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut rest = Vec::new();
    let mut next = Some(i64::MIN);
    for (low, high) in ranges {
        if let (Some(start), Some(end)) = (next, low.checked_sub(1))
            && start <= end
        {
            rest.push((start, end));
        }
        next = high.checked_add(1);
    }
    rest.extend(next.map(|start| (start, i64::MAX)));
    rest
}

/// Does everything of the one lie in the other?
pub(crate) fn is_subset(inner: &[(i64, i64)], outer: &[(i64, i64)]) -> bool {
    inner.iter().all(|(low, high)| {
        let place = outer.partition_point(|range| range.1 < *low);
        outer.get(place).is_some_and(|range| range.0 <= *low && *high <= range.1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_and_turned_around() {
        assert_eq!(complement(&[(1, 2), (5, i64::MAX)]), [(i64::MIN, 0), (3, 4)]);
        assert_eq!(intersection(&[(0, 10)], &[(-5, 2), (4, 20)]), [(0, 2), (4, 10)]);
    }

    #[test]
    fn a_set_and_its_complement_share_nothing_and_leave_nothing_out() {
        for ranges in
            [vec![], vec![(i64::MIN, i64::MAX)], vec![(1, 3), (5, 5)], vec![(i64::MIN, 0), (7, i64::MAX)]]
        {
            let rest = complement(&ranges);
            assert_eq!(intersection(&ranges, &rest), []);
            assert_eq!(complement(&rest), ranges);
            assert!(is_subset(&ranges, &ranges) && (ranges.is_empty() || !is_subset(&ranges, &rest)));
        }
    }
}
