//! The time zone of countries that keep one time, for databases that know only the country.
//!
//! Countries whose zones differ have no entry: a wrong hour is worse than an unknown one.
//!
//! Cost: a scan of a few kilobytes, at load time only. Not here: zones of subdivisions.

const TABLE: &str = include_str!("country_zones.txt");

/// The IANA zone of a country (ISO 3166-1 alpha-2, upper case), if it keeps one time.
pub(super) fn sole_zone(country: &str) -> Option<&'static str> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .find(|(known, _)| *known == country)
        .map(|(_, zone)| zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_zone_countries_are_known_and_others_are_not() {
        assert_eq!(sole_zone("RO"), Some("Europe/Bucharest"));
        assert_eq!(sole_zone("JP"), Some("Asia/Tokyo"));
        assert_eq!(sole_zone("DE"), Some("Europe/Berlin"));
        assert_eq!(sole_zone("US"), None);
        assert_eq!(sole_zone("RU"), None);
        assert_eq!(sole_zone("XX"), None);
    }

    #[test]
    fn every_zone_of_the_table_exists() {
        let zones: Vec<&str> =
            TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| &line[3..]).collect();
        assert!(zones.len() > 200);
        for zone in zones {
            assert!(jiff::tz::TimeZone::get(zone).is_ok(), "{zone}");
        }
    }
}
