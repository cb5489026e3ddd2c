//! The repository keeps its house rules.

#[test]
fn the_repository_is_tidy() {
    let problems = xtask::tidy::check(&xtask::root()).unwrap();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(text.is_empty(), "run `cargo xtask tidy`:\n{}", text.join("\n"));
}
