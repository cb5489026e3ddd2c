//! Every package is under a licence that a user of this one can live with.

#[test]
fn all_packages_are_under_accepted_licences() {
    let graph = xtask::metadata::load(&xtask::root()).unwrap();
    assert_eq!(xtask::licences::check(&graph), Vec::<String>::new());
}
