//! Every back end gives the same answers: reference, branch code, `evaluate`, columns and SQLite.
#![allow(clippy::unwrap_used, clippy::panic)]

mod differential;

use differential::compare::{Done, Plan, program};
use differential::sqlite::Sqlite;

#[test]
fn random_programs_mean_the_same_everywhere() {
    let plan = Plan { rows: 130, sqlite_every: 4 };
    let mut sqlite = Sqlite::new();
    let mut total = Done::default();
    for seed in 0..1_000 {
        let done = program(seed, plan, &mut sqlite).unwrap_or_else(|difference| panic!("{difference}"));
        total = Done {
            cases: total.cases + done.cases,
            answers: total.answers + done.answers,
            matches: total.matches + done.matches,
        };
    }
    let share = total.matches as f64 / total.answers as f64;
    assert!((0.2..0.6).contains(&share), "{share} of the answers are true: that compares little");
}

mod sql {
    use rulec::hir::{Check, Condition, Test};
    use rulec::sql::{Columns, Consent, Dialect, Identifier, Parameter, SqlError, where_clause};
    use rulec::{Place, hir};
    use tessera_wire::program::SignalId;

    use super::differential::sqlite::{Sqlite, columns};
    use super::differential::world::{Row, Value, signals};
    use tessera_wire::signal::Gates;

    fn test(signal: u16, check: Check) -> Condition {
        Condition::Test(Test { signal: SignalId(signal), check, place: Place::NOWHERE })
    }

    fn both(condition: &Condition) -> [rulec::sql::Query; 2] {
        [Dialect::Sqlite, Dialect::Postgres]
            .map(|dialect| where_clause(dialect, &columns(&signals()), &signals(), condition).unwrap())
    }

    #[test]
    fn values_are_parameters_whatever_they_look_like() {
        let nasty = "'); DROP TABLE profiles; --";
        for check in [
            Check::OneOf(vec![nasty.to_owned()]),
            Check::OneOf(vec![nasty.to_owned(), "a".to_owned()]),
            Check::StartsWith(nasty.to_owned()),
            Check::EndsWith(nasty.to_owned()),
            Check::Contains(nasty.to_owned()),
        ] {
            for query in both(&test(4, check)) {
                assert!(!query.text.contains("DROP"), "{}", query.text);
                assert_eq!(query.parameters.len(), 1, "{}", query.text);
            }
        }
        for query in both(&test(5, Check::AllOf(vec![nasty.to_owned()]))) {
            assert!(!query.text.contains("DROP"), "{}", query.text);
        }
    }

    #[test]
    fn equal_values_are_bound_once_and_the_time_is_a_parameter() {
        let within = test(6, Check::AgeInRanges(vec![(0, 86_400_000)]));
        let [sqlite, postgres] = both(&Condition::Or(vec![within.clone(), within.negated()]));
        assert_eq!(
            sqlite.parameters,
            [Parameter::Now { minus_ms: 86_400_000 }, Parameter::Now { minus_ms: 0 }]
        );
        assert_eq!(sqlite.text, r#"(("p"."s6" BETWEEN ?1 AND ?2) OR (NOT ("p"."s6" BETWEEN ?1 AND ?2)))"#);
        assert!(postgres.text.starts_with(r#"(("p"."s6" BETWEEN $1::bigint AND $2::bigint) OR "#));
    }

    #[test]
    fn consent_stands_beside_every_gated_value() {
        let [sqlite, _] = both(&test(1, Check::Known));
        assert_eq!(sqlite.text, r#"((CASE WHEN ("p"."gates" & ?1) = ?1 THEN "p"."s1" END) IS NOT NULL)"#);
        let name = |name: &str| Identifier::new(name).unwrap();
        let columns = Columns::new(name("p"), Consent::LeftOut).with("age", name("age_years"));
        let query = where_clause(Dialect::Sqlite, &columns, &signals(), &test(1, Check::Known)).unwrap();
        assert_eq!(query.text, r#"("p"."age_years" IS NOT NULL)"#);
    }

    #[test]
    fn a_long_condition_is_not_a_deep_one() {
        let tests = (0..9_000).map(|number| test(2, Check::InRanges(vec![(number, number)])));
        let condition = Condition::Or(tests.collect());
        let row = |price| Row {
            values: (0..12).map(|signal| (signal == 2).then_some(Value::Integer(price))).collect(),
            open: Gates::NONE,
        };
        let mut sqlite = Sqlite::new();
        sqlite.load(&signals(), &[row(-1), row(8_999), row(9_000), row(17)]);
        assert_eq!(sqlite.rows(&signals(), &condition), [1, 3]);
        let deep = (0..150).fold(test(2, Check::InRanges(vec![(17, 17)])), |inner, level| match level % 3 {
            0 => Condition::Definitely(Box::new(inner.negated())).negated(),
            1 => hir::Condition::And(vec![inner, Condition::Constant(true)]),
            _ => Condition::Possibly(Box::new(inner)),
        });
        assert_eq!(sqlite.rows(&signals(), &deep), [3]);
    }

    #[test]
    fn what_cannot_be_asked_is_an_error() {
        let ask = |condition: &Condition| {
            let name = Identifier::new("p").unwrap();
            let columns =
                Columns::new(name.clone(), Consent::LeftOut).with("path", name.clone()).with("price", name);
            where_clause(Dialect::Postgres, &columns, &signals(), condition).unwrap_err()
        };
        assert_eq!(ask(&test(1, Check::Known)), SqlError::NoColumn { signal: "age".to_owned() });
        let nul = test(4, Check::Contains("a\0b".to_owned()));
        assert_eq!(ask(&nul), SqlError::NulInText { signal: "path".to_owned() });
        let many = (0..40_000).map(|number| test(2, Check::InRanges(vec![(number, number)])));
        assert_eq!(ask(&Condition::Or(many.collect())), SqlError::TooManyParameters { max: 32_766 });
    }
}
