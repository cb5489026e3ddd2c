//! ISO 4217 currency codes in use, so that a misspelt currency is an error and not an amount that is never compared.

use crate::nearest::nearest;

/// Every active code of money that people pay with; funds, metals and test codes are left out.
pub(crate) const CURRENCIES: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD \
    HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD \
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG \
    QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD \
    TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Is this the code of a currency in use, in upper case?
pub(crate) fn is_currency(code: &str) -> bool {
    code.len() == 3 && CURRENCIES.split_ascii_whitespace().any(|currency| currency == code)
}

/// The code that was probably meant.
pub(crate) fn near_currency(code: &str) -> Option<&'static str> {
    let upper = code.to_uppercase();
    CURRENCIES
        .split_ascii_whitespace()
        .find(|currency| *currency == upper)
        .or_else(|| nearest(code, ["EUR", "USD", "GBP", "RON", "CHF", "JPY", "PLN", "HUF", "CZK", "SEK"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_distinct_and_found() {
        let codes: Vec<&str> = CURRENCIES.split_ascii_whitespace().collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "sorted and distinct");
        assert!(is_currency("RON") && is_currency("EUR"));
        assert!(!is_currency("ROL") && !is_currency("eur") && !is_currency(""));
        assert_eq!(near_currency("eur"), Some("EUR"));
        assert_eq!(near_currency("EUX"), Some("EUR"));
        assert_eq!(near_currency("x"), None);
    }
}
