//! A real SQLite, with the rows of a test in a table.

use rulec::hir::{Condition, Signal};
use rulec::sql::{Columns, Consent, Dialect, Identifier, Parameter, Query, where_clause};
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, params_from_iter};
use tessera_rulevm::canonical;
use tessera_wire::signal::Kind;

use super::world::{NOW_MS, Row, Value};

/// Columns `s0`, `s1`, … of a table `profiles`, called `p`.
pub fn columns(signals: &[Signal]) -> Columns {
    let name = |name: &str| Identifier::new(name).unwrap();
    let columns = Columns::new(name("p"), Consent::Column(name("gates")));
    let numbered = signals.iter().enumerate();
    numbered.fold(columns, |columns, (index, signal)| {
        columns.with(&signal.attribute.name, name(&format!("s{index}")))
    })
}

/// What a database of profiles would hold of this value.
pub fn stored(signal: &Signal, value: &Value) -> Value {
    let form = |text: &String| canonical(text, signal.attribute.is_caseless);
    match value {
        Value::Integer(value) => Value::Integer(*value),
        Value::Text(text) => Value::Text(form(text)),
        Value::Set(members) => Value::Set(members.iter().map(form).collect()),
    }
}

pub struct Sqlite(Connection);

impl Sqlite {
    pub fn new() -> Sqlite {
        Sqlite(Connection::open_in_memory().unwrap())
    }

    /// Replaces the table.
    pub fn load(&mut self, signals: &[Signal], rows: &[Row]) {
        let types = signals.iter().enumerate().map(|(index, signal)| match signal.attribute.kind {
            Kind::Text | Kind::Set => format!("s{index} TEXT"),
            _ => format!("s{index} INTEGER"),
        });
        let types = types.collect::<Vec<_>>().join(", ");
        let table = format!(
            "DROP TABLE IF EXISTS profiles; CREATE TABLE profiles (id INTEGER, gates INTEGER, {types})"
        );
        self.0.execute_batch(&table).unwrap();
        let marks = vec!["?"; signals.len() + 2].join(", ");
        let transaction = self.0.transaction().unwrap();
        let mut insert = transaction.prepare(&format!("INSERT INTO profiles VALUES ({marks})")).unwrap();
        for (id, row) in rows.iter().enumerate() {
            let own = [Cell::Integer(id as i64), Cell::Integer(i64::from(row.open.0))];
            let cells = signals.iter().zip(&row.values).map(|(signal, value)| match value {
                Some(value) => match stored(signal, value) {
                    Value::Integer(value) => Cell::Integer(value),
                    Value::Text(text) => Cell::Text(text),
                    Value::Set(members) => Cell::Text(serde_json::to_string(&members).unwrap()),
                },
                None => Cell::Null,
            });
            insert.execute(params_from_iter(own.into_iter().chain(cells))).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }

    /// The rows that satisfy the condition, ascending.
    pub fn rows(&self, signals: &[Signal], condition: &Condition) -> Vec<u32> {
        self.rows_at(signals, condition, NOW_MS)
    }

    /// The same, asked at another time.
    pub fn rows_at(&self, signals: &[Signal], condition: &Condition, now_ms: i64) -> Vec<u32> {
        let query = where_clause(Dialect::Sqlite, &columns(signals), signals, condition).unwrap();
        self.select(&query, now_ms)
    }

    fn select(&self, query: &Query, now_ms: i64) -> Vec<u32> {
        let statement = format!("SELECT id FROM profiles AS p WHERE {} ORDER BY id", query.text);
        let mut statement =
            self.0.prepare(&statement).unwrap_or_else(|error| panic!("{error}: {}", query.text));
        let parameters = query.parameters.iter().map(|parameter| match parameter.at(now_ms) {
            Parameter::Integer(value) => Cell::Integer(value),
            Parameter::Text(text) => Cell::Text(text),
            Parameter::Bytes(bytes) => Cell::Blob(bytes),
            other => panic!("SQLite cannot bind {other:?}"),
        });
        let ids = statement.query_map(params_from_iter(parameters), |row| row.get(0)).unwrap();
        ids.map(|id| id.unwrap_or_else(|error| panic!("{error}: {}", query.text))).collect()
    }
}
