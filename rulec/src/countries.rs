//! ISO 3166-1 alpha-2 country codes, so that a misspelt country is an error and not a rule that never matches.

use crate::nearest::nearest;

/// Every assigned code, and `XK` for Kosovo, which geographic databases report.
pub(crate) const COUNTRIES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT \
    JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP \
    MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA \
    RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR \
    TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// One bit for each second letter, by first letter: rules name countries by the hundred thousand.
const TABLE: [u32; 26] = table();

const fn table() -> [u32; 26] {
    let (codes, mut table, mut at) = (COUNTRIES.as_bytes(), [0; 26], 0);
    while at + 1 < codes.len() {
        table[(codes[at] - b'A') as usize] |= 1 << (codes[at + 1] - b'A');
        at += 3;
    }
    table
}

/// Is this an assigned country code, in upper case?
pub(crate) fn is_country(code: &str) -> bool {
    match code.as_bytes() {
        [first @ b'A'..=b'Z', second @ b'A'..=b'Z'] => {
            TABLE[usize::from(first - b'A')] & 1 << (second - b'A') != 0
        }
        _ => false,
    }
}

/// The code that was probably meant.
pub(crate) fn near_country(text: &str) -> Option<&'static str> {
    match text {
        "UK" | "uk" => Some("GB"),
        _ => nearest(text, COUNTRIES.split_ascii_whitespace()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_codes_are_there() {
        assert_eq!(COUNTRIES.split_ascii_whitespace().count(), 250);
        assert!(COUNTRIES.split_ascii_whitespace().all(is_country));
        assert_eq!(TABLE.iter().map(|row| row.count_ones()).sum::<u32>(), 250);
        assert!(is_country("RO") && is_country("XK") && !is_country("UK") && !is_country("ro"));
    }
}
