//! The grammar as a JSON Schema (draft 7), for editors.

use serde_json::{Map, Value, json};

use super::grammar::{MEASURED, NO_NUMBER, Need, RUNBOOK, Record, Shape};
use crate::process::Limit;

/// Which files a schema is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// Those that stand alone.
    Whole,
    /// Those that extend another: only ids are required.
    Extending,
}

/// The JSON Schema of a runbook. It accepts and refuses what the check does, as far as a schema can say it.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let whole = record(&RUNBOOK, Files::Whole, &mut definitions);
    let extending = record(&RUNBOOK, Files::Extending, &mut definitions);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "hotfix runbook",
        "if": { "type": "object", "required": ["extends"] },
        "then": extending,
        "else": whole,
        "definitions": definitions,
    })
}

/// A reference to the definition of `record`, which is made where it is not there yet.
fn record(record: &Record, files: Files, definitions: &mut Map<String, Value>) -> Value {
    let suffix = if files == Files::Extending { "-extending" } else { "" };
    let name = format!("{}{suffix}", record.name);
    let reference = json!({ "$ref": format!("#/definitions/{name}") });
    if definitions.contains_key(&name) {
        return reference;
    }
    // The place is taken first: a group holds steps.
    definitions.insert(name.clone(), Value::Null);
    let mut properties = Map::new();
    for field in record.fields {
        properties.insert(field.name.to_owned(), shape(&field.shape, files, definitions));
    }
    if record.name == "runbook" {
        properties.insert("version".to_owned(), json!({ "const": 1 }));
    }
    let partial = files == Files::Extending && matches!(record.name, "runbook" | "stage" | "step");
    if partial && record.name != "runbook" {
        properties.insert("remove".to_owned(), json!({ "const": true }));
        properties.insert("after".to_owned(), json!({ "type": "string" }));
        properties.insert("before".to_owned(), json!({ "type": "string" }));
    }
    let required = record.fields.iter().filter(|field| field.need == Need::Required);
    let required: Vec<_> = required.map(|field| field.name).filter(|name| !partial || *name == "id").collect();
    let mut object = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    if !record.one_of.is_empty() && !partial {
        let each: Vec<_> = record.one_of.iter().map(|name| json!({ "required": [name] })).collect();
        object["oneOf"] = Value::Array(each);
    }
    definitions.insert(name, object);
    reference
}

fn shape(of: &Shape, files: Files, definitions: &mut Map<String, Value>) -> Value {
    match of {
        Shape::Text | Shape::Template | Shape::Draft | Shape::Condition(_) | Shape::Measured => {
            json!({ "type": "string" })
        }
        Shape::Fact => {
            let all = MEASURED.iter().flat_map(|(_, names)| *names).filter(|name| !NO_NUMBER.contains(name));
            json!({ "enum": all.collect::<std::collections::BTreeSet<_>>() })
        }
        Shape::Id => json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$" }),
        Shape::Gives => json!({ "type": "string", "pattern": "^[a-z_][a-z0-9_]*$" }),
        Shape::Script => json!({ "type": "string", "pattern": "\\S", "not": { "pattern": "\\{\\{|\\{%" } }),
        Shape::Length => json!({ "type": "string", "pattern": "\\{\\{|^[^M]+$" }),
        Shape::Size => json!({ "anyOf": [
            { "type": "integer", "minimum": Limit::LEAST },
            { "type": "string", "pattern": "^[0-9]+\\s*([kMGT]?B|[KMGT]iB)?$" },
        ] }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Count => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        Shape::Number => json!({ "type": "number" }),
        Shape::Any => json!(true),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::List(each) => json!({ "type": "array", "minItems": 1, "items": shape(each, files, definitions) }),
        Shape::Dict(each) => json!({ "type": "object", "additionalProperties": shape(each, files, definitions) }),
        Shape::GivesEach(each) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[a-z_][a-z0-9_]*$" },
            "additionalProperties": shape(each, files, definitions),
        }),
        Shape::Record(of) => record(of, files, definitions),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|one| shape(one, files, definitions)).collect::<Vec<_>>() })
        }
    }
}
