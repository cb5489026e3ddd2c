//! SQL on a real PostgreSQL selects the rows that the reference does.
//!
//! Needs a server: the one that `TESSERA_TEST_POSTGRES` names (a connection string; a table `pg_temp.profiles` is all that
//! is made there), or PostgreSQL's programs under `/usr/lib/postgresql`, from which one is started for the test.
//! `cargo test -p rulec --features postgres-tests --test postgres`; `.ci/run` does it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../differential/mod.rs"]
mod differential;
mod server;

use differential::compare::expected;
use differential::random::Random;
use differential::sqlite::{columns, stored};
use differential::world::{self, NOW_MS, Row, Value};
use postgres::Client;
use postgres::types::ToSql;
use rulec::hir::{Condition, Signal};
use rulec::sql::{Dialect, Parameter, where_clause};
use server::Server;
use tessera_wire::signal::Kind;

type Bound = Box<dyn ToSql + Sync>;

fn load(client: &mut Client, signals: &[Signal], rows: &[Row]) {
    let types = signals.iter().enumerate().map(|(index, signal)| {
        let ty = match signal.attribute.kind {
            Kind::Bool => "boolean",
            Kind::Text => "text",
            Kind::Set => "text[]",
            _ => "bigint",
        };
        format!("s{index} {ty}")
    });
    let types = types.collect::<Vec<_>>().join(", ");
    client
        .batch_execute(&format!(
            "DROP TABLE IF EXISTS pg_temp.profiles; CREATE TEMP TABLE profiles (id bigint, gates bigint, {types})"
        ))
        .unwrap();
    let marks: Vec<String> = (1..=signals.len() + 2).map(|number| format!("${number}")).collect();
    let mut transaction = client.transaction().unwrap();
    let insert = transaction.prepare(&format!("INSERT INTO profiles VALUES ({})", marks.join(", "))).unwrap();
    for (id, row) in (0i64..).zip(rows) {
        let own: [Bound; 2] = [Box::new(id), Box::new(i64::from(row.open.0))];
        let cells = signals.iter().zip(&row.values).map(|(signal, value)| -> Bound {
            let value = value.as_ref().map(|value| stored(signal, value));
            match (signal.attribute.kind, value) {
                (Kind::Bool, Some(Value::Integer(value))) => Box::new(value == 1),
                (Kind::Bool, _) => Box::new(None::<bool>),
                (Kind::Text, Some(Value::Text(text))) => Box::new(text),
                (Kind::Text, _) => Box::new(None::<String>),
                (Kind::Set, Some(Value::Set(members))) => Box::new(members),
                (Kind::Set, _) => Box::new(None::<Vec<String>>),
                (_, Some(Value::Integer(value))) => Box::new(value),
                _ => Box::new(None::<i64>),
            }
        });
        let cells: Vec<Bound> = own.into_iter().chain(cells).collect();
        let cells: Vec<&(dyn ToSql + Sync)> = cells.iter().map(|cell| &**cell).collect();
        transaction.execute(&insert, &cells).unwrap();
    }
    transaction.commit().unwrap();
}

fn rows(client: &mut Client, signals: &[Signal], condition: &Condition) -> Vec<u32> {
    let query = where_clause(Dialect::Postgres, &columns(signals), signals, condition).unwrap();
    let statement = format!("SELECT id FROM pg_temp.profiles AS p WHERE {} ORDER BY id", query.text);
    let bound = query.parameters.iter().map(|parameter| -> Bound {
        match parameter.at(NOW_MS) {
            Parameter::Integer(value) => Box::new(value),
            Parameter::Text(text) => Box::new(text),
            Parameter::Texts(texts) => Box::new(texts),
            other => panic!("PostgreSQL cannot bind {other:?}"),
        }
    });
    let bound: Vec<Bound> = bound.collect();
    let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(|value| &**value).collect();
    let found = client.query(&statement, &bound).unwrap_or_else(|error| panic!("{error}: {statement}"));
    found.iter().map(|row| u32::try_from(row.get::<_, i64>(0)).unwrap()).collect()
}

#[test]
fn conditions_select_the_same_rows_in_postgresql() {
    let server = Server::start();
    let mut client = server.connect();
    let signals = world::signals();
    let mut random = Random::new(0x905);
    let (mut asked, mut selected) = (0, 0);
    for _ in 0..40 {
        let profiles: Vec<Row> = (0..200).map(|_| world::row(&mut random)).collect();
        load(&mut client, &signals, &profiles);
        let conditions: Vec<Condition> = (0..25).map(|_| world::condition(&mut random, 3)).collect();
        for (condition, expected) in conditions.iter().zip(expected(&conditions, &profiles)) {
            let found = rows(&mut client, &signals, condition);
            assert_eq!(found, expected, "{}", rulec::print::condition(&signals, condition));
            asked += 200;
            selected += found.len();
        }
    }
    let share = selected as f64 / f64::from(asked);
    assert!((0.2..0.6).contains(&share), "{share} of the rows are selected: that compares little");
}

#[test]
fn a_long_condition_is_not_too_deep_for_postgresql() {
    use rulec::Place;
    use rulec::hir::{Check, Test};
    use tessera_wire::program::SignalId;

    let server = Server::start();
    let mut client = server.connect();
    let signals = world::signals();
    let price = |price| Row {
        values: (0..12).map(|signal| (signal == 2).then_some(Value::Integer(price))).collect(),
        open: tessera_wire::signal::Gates::NONE,
    };
    load(&mut client, &signals, &[price(-1), price(8_999), price(9_000), price(17)]);
    let tests = (0..9_000).map(|number| {
        let check = Check::InRanges(vec![(number, number)]);
        Condition::Test(Test { signal: SignalId(2), check, place: Place::NOWHERE })
    });
    assert_eq!(rows(&mut client, &signals, &Condition::Or(tests.collect())), [1, 3]);
}
