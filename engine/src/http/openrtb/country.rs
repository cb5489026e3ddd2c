//! Country codes: OpenRTB speaks ISO 3166-1 alpha-3, everything else here alpha-2.

/// Pairs, sorted by the alpha-3 code: `AAA` followed by `AA`.
const CODES: &str = "\
    ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU AUTAT AZEAZ BDIBI BELBE \
    BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ BMUBM BOLBO BRABR BRBBB BRNBN BTNBT BVTBV BWABW \
    CAFCF CANCA CCKCC CHECH CHLCL CHNCN CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX CYMKY \
    CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET FINFI FJIFJ FLKFK FRAFR \
    FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL GTMGT GUFGF GUMGU \
    GUYGY HKGHK HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT JAMJM JEYJE \
    JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT \
    LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ \
    MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI NIUNU NLDNL NORNO NPLNP NRUNR NZLNZ \
    OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL PRIPR PRKKP PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU \
    RWARW SAUSA SDNSD SENSN SGPSG SGSGS SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK \
    SVNSI SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO TTOTT TUNTN TURTR TUVTV \
    TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS XKXXK YEMYE \
    ZAFZA ZMBZM ZWEZW";

/// The alpha-2 code of an alpha-3 one. What is two letters long already is taken as it is: some senders mix them up.
pub(super) fn alpha2(code: &str) -> Option<&str> {
    if code.len() == 2 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        return Some(code);
    }
    if code.len() != 3 {
        return None;
    }
    let (mut low, mut high) = (0, CODES.len().div_ceil(6));
    while low < high {
        let middle = (low + high) / 2;
        let entry = CODES.get(middle * 6..middle * 6 + 5)?;
        match entry[..3].cmp(code) {
            std::cmp::Ordering::Equal => return Some(&entry[3..]),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_without_repetition() {
        let entries: Vec<&str> = CODES.split(' ').collect();
        assert_eq!(entries.len(), 250, "249 countries and Kosovo");
        assert!(entries.iter().all(|entry| entry.len() == 5));
        assert!(entries.is_sorted_by(|one, next| one[..3] < next[..3]));
        let twos: std::collections::BTreeSet<&str> = entries.iter().map(|entry| &entry[3..]).collect();
        assert_eq!(twos.len(), entries.len());
        for entry in entries {
            assert_eq!(alpha2(&entry[..3]), Some(&entry[3..]));
        }
    }

    #[test]
    fn other_codes_are_unknown() {
        assert_eq!(alpha2("DEU"), Some("DE"));
        assert_eq!(alpha2("DE"), Some("DE"));
        for other in ["", "D", "de", "deu", "ZZZ", "AAA", "EURO", "é"] {
            assert_eq!(alpha2(other), None, "{other}");
        }
    }
}
